// This package in three ways. Prints one line of JSON; see ../send-fds.ts for the work.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeAll,
  openFd,
  OwnedFd,
  SeqpacketSocket,
  socketpair,
  UnixStream,
} from '@pilotlight/scm-rights';
import {
  close,
  fcntlGetfl,
  fcntlSetfl,
  O_NONBLOCK,
  recvmsg,
  sendmsg,
} from '@pilotlight/scm-rights/libc';

/** One end of a connection, whatever it is made of. */
interface End {
  send(): Promise<void> | void;
  /** Receives one message, checks it, and closes its descriptor. */
  receive(): Promise<void> | void;
  end(): void;
}

const [kind = '', ...numbers] = process.argv.slice(2);
const [messages = 0, roundTrips = 0, burst = 1, size = 1] = numbers.map(Number);
const payload = Buffer.alloc(size, 'x');
const file = openFd('/dev/null', 0);

const makers: Readonly<Record<string, (owned: OwnedFd) => End>> = {
  blocking: blockingEnd,
  seqpacket: seqpacketEnd,
  stream: streamEnd,
};
const makeEnd = makers[kind.replace('echo-', '')]!;
const type = kind.endsWith('stream') ? 'stream' : 'seqpacket';

if (kind.startsWith('echo-')) await echo();
else {
  await oneWay(messages / 10);
  const start = process.hrtime.bigint();
  await oneWay(messages);
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const messagesPerSecond = messages / seconds;
  const roundTripUs = await thereAndBack(roundTrips / 10, roundTrips);
  process.stdout.write(`${JSON.stringify({ messagesPerSecond, roundTripUs })}\n`);
}

async function oneWay(count: number): Promise<void> {
  const [a, b] = socketpair(type).map(makeEnd) as [End, End];
  for (let done = 0; done < count; done += burst) {
    for (let index = 0; index < burst; index += 1) await a.send();
    for (let index = 0; index < burst; index += 1) await b.receive();
  }
  a.end();
  b.end();
}

async function thereAndBack(warmUp: number, count: number): Promise<number> {
  const [ours, theirs] = socketpair(type);
  const child = spawn(
    process.execPath,
    [
      ...process.execArgv,
      import.meta.filename,
      `echo-${kind}`,
      `${warmUp + count}`,
      '0',
      '1',
      `${size}`,
    ],
    { stdio: ['ignore', 'inherit', 'inherit', theirs.fd] },
  );
  theirs.close();
  const ended = once(child, 'exit');
  const end = makeEnd(ours);
  const taken: number[] = [];
  for (let index = 0; index < warmUp + count; index += 1) {
    const start = process.hrtime.bigint();
    await end.send();
    await end.receive();
    if (index >= warmUp) taken.push(Number(process.hrtime.bigint() - start));
  }
  await ended;
  end.end();
  return taken.toSorted((a, b) => a - b)[Math.floor(count / 2)]! / 1000;
}

async function echo(): Promise<void> {
  const end = makeEnd(OwnedFd.adopt(3));
  for (let index = 0; index < messages; index += 1) {
    await end.receive();
    await end.send();
  }
  end.end();
}

function blockingEnd(owned: OwnedFd): End {
  const bytes = new Uint8Array(size);
  fcntlSetfl(owned.fd, fcntlGetfl(owned.fd) & ~O_NONBLOCK);
  return {
    send: () => void sendmsg(owned.fd, payload, { fds: [file.fd] }),
    receive: () => {
      const { length, fds } = recvmsg(owned.fd, bytes);
      check(length, fds.length);
      close(fds[0]!);
    },
    end: () => owned.close(),
  };
}

function seqpacketEnd(owned: OwnedFd): End {
  const socket = new SeqpacketSocket(owned);
  return {
    send: () => socket.send(payload, [file]),
    receive: async () => {
      const packet = await socket.receive();
      check(packet?.bytes.length, packet?.fds.length);
      closeAll(packet?.fds ?? []);
    },
    end: () => socket.close(),
  };
}

function streamEnd(owned: OwnedFd): End {
  const stream = new UnixStream(owned);
  let bytes = 0;
  let fds = 0;
  let wanted: (() => void) | undefined;
  stream.on('fds', (received: OwnedFd[]) => {
    fds += received.length;
    closeAll(received);
  });
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    wanted?.();
  });
  return {
    send: () => void stream.writeWithFds(payload, [file]),
    receive: async () => {
      // oxlint-disable-next-line no-unmodified-loop-condition -- by the listeners above
      while (bytes < size) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wanted = resolve;
        await promise;
      }
      check(size, Math.min(fds, 1));
      bytes -= size;
      fds -= 1;
    },
    end: () => stream.destroy(),
  };
}

function check(length: number | undefined, fds: number | undefined): void {
  if (length !== size || fds !== 1) throw new Error(`received ${length} bytes and ${fds} fds`);
}
