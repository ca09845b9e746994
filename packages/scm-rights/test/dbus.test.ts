import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, mkdtempSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  connectStream,
  OwnedFd,
  pidfdOpen,
  pidfdSendSignal,
  type UnixStream,
} from '@pilotlight/scm-rights';
import { pipe2, write } from '@pilotlight/scm-rights/libc';
import { countOpenFds } from '@pilotlight/scm-rights/testing';
import { createClient, type Message, type MessageBus } from 'dbus-native';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** The kind of message that nobody answers; it goes to one peer alone when it names a destination. */
const SIGNAL = 4;

const hasDaemon = spawnSync('dbus-daemon', ['--version']).status === 0;

describe.skipIf(!hasDaemon)('UnixStream under dbus-native (needs: dbus-daemon)', () => {
  const dir = mkdtempSync(join(tmpdir(), 'dbus-'));
  const socket = join(dir, 'bus');
  let daemon: ChildProcess;

  beforeAll(async () => {
    daemon = await startDaemon(dir, socket);
  });

  afterAll(async () => {
    await stopDaemon(daemon);
    rmSync(dir, { recursive: true });
  });

  it('UnixStream lets the bus agree to pass descriptors', async () => {
    await using peer = await Peer.connect(socket);
    expect(peer.bus.connection.canPassFds).toBe(true);
    expect(peer.bus.connection.unixFdsAgreed).toBe(true);
  });

  it('UnixStream carries descriptors through the bus to the peer that they were sent to', async () => {
    await using sender = await Peer.connect(socket);
    await using receiver = await Peer.connect(socket);
    const [reader, writer] = pipe2().map((fd) => new OwnedFd(fd));
    const arrival = receiver.next('Take');
    sender.signal(receiver, 'Take', 'sh', ['a pipe', 0], [writer!.fd]);
    writer!.close();
    const { body, fds } = await arrival;
    expect([body, fds?.length]).toEqual([['a pipe', 0], 1]);
    // What is written to the descriptor that came out of the bus is read here.
    write(fds![0]!, Buffer.from('through the bus'));
    closeSync(fds![0]!);
    const bytes = Buffer.alloc(64);
    expect(bytes.toString('utf8', 0, readSync(reader!.fd, bytes))).toBe('through the bus');
    // And the bus keeps no copy of its own.
    expect(readSync(reader!.fd, bytes)).toBe(0);
    reader!.close();
  });

  it('UnixStream keeps order among many messages with and without descriptors', async () => {
    await using sender = await Peer.connect(socket);
    await using receiver = await Peer.connect(socket);
    const before = countOpenFds();
    const total = 200;
    const arrivals: Promise<Message>[] = [];
    for (let index = 0; index < total; index += 1) arrivals.push(receiver.next(`Take${index}`));
    for (let index = 0; index < total; index += 1) {
      const fds = Array.from({ length: index % 4 }, () => pipe2());
      const writers = fds.map(([, writer]) => writer);
      sender.signal(receiver, `Take${index}`, 's', ['x'.repeat(index * 100)], writers);
      for (const fd of fds.flat()) closeSync(fd);
    }
    const messages = await Promise.all(arrivals);
    expect(messages.map(({ fds }) => fds?.length ?? 0)).toEqual(
      Array.from({ length: total }, (_, index) => index % 4),
    );
    const received = messages.flatMap(({ fds }) => fds ?? []);
    expect(received.every((fd) => fstatSync(fd).isFIFO())).toBe(true);
    for (const fd of received) closeSync(fd);
    expect(countOpenFds()).toBe(before);
  });
});

/** One connection to the bus, and the signals that reach it. */
class Peer implements AsyncDisposable {
  readonly bus: MessageBus;
  readonly name: string;
  readonly #stream: UnixStream;
  readonly #awaited = new Map<string, (message: Message) => void>();
  #serial = 1000;

  private constructor(bus: MessageBus, name: string, stream: UnixStream) {
    this.bus = bus;
    this.name = name;
    this.#stream = stream;
    bus.connection.on('message', (message: Message) => {
      this.#awaited.get(message.member ?? '')?.(message);
    });
  }

  static async connect(socket: string): Promise<Peer> {
    const stream = await connectStream(socket, { plainFds: true });
    const bus = createClient({ stream });
    // The answer to Hello is the first thing that a bus says.
    while (typeof bus.name !== 'string') await once(bus.connection as never, 'message');
    return new Peer(bus, bus.name, stream);
  }

  signal(to: Peer, member: string, signature: string, body: unknown[], fds: number[]): void {
    this.bus.connection.message({
      type: SIGNAL,
      serial: (this.#serial += 1),
      destination: to.name,
      path: '/test',
      interface: 'test.Sink',
      member,
      signature,
      body,
      ...(fds.length === 0 ? {} : { fds }),
    });
  }

  async next(member: string): Promise<Message> {
    const { promise, resolve } = Promise.withResolvers<Message>();
    this.#awaited.set(member, resolve);
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stream.destroy();
    if (!this.#stream.closed) await once(this.#stream, 'close');
  }
}

async function startDaemon(dir: string, socket: string): Promise<ChildProcess> {
  const config = join(dir, 'bus.conf');
  writeFileSync(
    config,
    `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
       "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
     <busconfig>
       <listen>unix:path=${socket}</listen>
       <auth>EXTERNAL</auth>
       <policy context="default">
         <allow send_destination="*" eavesdrop="false"/>
         <allow receive_sender="*"/>
         <allow own="*"/>
       </policy>
     </busconfig>`,
  );
  const daemon = spawn(
    'dbus-daemon',
    ['--nofork', '--nopidfile', '--print-address=1', `--config-file=${config}`],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  // It prints its address when it listens.
  const said = await Promise.race([once(daemon.stdout, 'data'), once(daemon, 'exit')]);
  expect(String(said[0])).toMatch(/^unix:/);
  return daemon;
}

async function stopDaemon(daemon: ChildProcess): Promise<void> {
  using pidfd = pidfdOpen(daemon.pid!);
  const ended = once(daemon, 'exit');
  pidfdSendSignal(pidfd, 'SIGTERM');
  await ended;
}
