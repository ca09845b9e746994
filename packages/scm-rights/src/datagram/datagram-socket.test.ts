import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { closeAll } from '../close-all.ts';
import { openFd } from '../open-fd.ts';
import { socketpair } from '../socketpair.ts';
import { withoutFdLeak } from '../testing/without-fd-leak.ts';
import { DatagramSocket } from './datagram-socket.ts';

const dir = mkdtempSync(join(tmpdir(), 'datagram-'));
let count = 0;
const path = (): string => join(dir, `socket-${(count += 1)}`);
const abstract = (): string => `@scm-rights-dgram-${process.pid}-${(count += 1)}`;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = ({ bytes: got }: { bytes: Uint8Array }): string => new TextDecoder().decode(got);

afterAll(() => rmSync(dir, { recursive: true }));

describe('DatagramSocket', () => {
  it.each([
    ['paths', path],
    ['abstract names', abstract],
  ])(
    'DatagramSocket exchanges datagrams by %s, and tells who sent them',
    async (_name, address) => {
      const [here, there] = [address(), address()];
      using a = DatagramSocket.bind(here);
      using b = DatagramSocket.bind(there);
      using file = openFd('/dev/null', 0);
      await a.send(bytes('question'), [file], { to: there });
      const question = await b.receive();
      expect([text(question), question.from, question.fds.length]).toEqual(['question', here, 1]);
      closeAll(question.fds);
      await b.send(bytes('answer'), [], { to: question.from });
      expect(await a.receive()).toMatchObject({ bytes: bytes('answer'), from: there, fds: [] });
    },
  );

  it('DatagramSocket.connect says once where to, and an open socket has no address', async () => {
    const where = abstract();
    using receiver = DatagramSocket.bind(where);
    using sender = DatagramSocket.open();
    await expect(sender.send(bytes('x'))).rejects.toMatchObject({ code: 'ENOTCONN' });
    sender.connect(where);
    await sender.send(bytes(''));
    await sender.send(bytes('second'));
    expect(await receiver.receive()).toEqual({ bytes: new Uint8Array(0), fds: [] });
    expect(text(await receiver.receive())).toBe('second');
  });

  it('DatagramSocket passes 253 descriptors on a pair, refuses 254, and closes what has no room', async () => {
    await withoutFdLeak(async () => {
      const [a, b] = socketpair('dgram').map((owned) => new DatagramSocket(owned));
      using file = openFd('/dev/null', 0);
      const many = Array.from({ length: 254 }, () => file);
      await expect(a!.send(bytes('x'), many)).rejects.toMatchObject({
        code: 'ERR_SCM_TOO_MANY_FDS',
      });
      await a!.send(bytes('x'), many.slice(1));
      const datagram = await b!.receive();
      expect(datagram.fds).toHaveLength(253);
      closeAll(datagram.fds);
      await a!.send(bytes('x'), [file, file]);
      await expect(b!.receive({ maxFds: 1 })).rejects.toMatchObject({
        code: 'ERR_SCM_CONTROL_TRUNCATED',
        received: 1,
      });
      a!.close();
      b!.close();
    });
  });

  it.each(['connected', 'by address'])(
    'DatagramSocket.send waits while the queue is full, in order (%s)',
    async (kind) => {
      const where = abstract();
      using receiver = DatagramSocket.bind(where);
      using sender = DatagramSocket.open();
      if (kind === 'connected') sender.connect(where);
      const total = 1000;
      let sent = 0;
      const sends = Array.from({ length: total }, async (_, index) => {
        await sender.send(bytes(`${index}`), [], kind === 'connected' ? {} : { to: where });
        sent += 1;
      });
      await new Promise((resolve) => setImmediate(resolve));
      expect(sent).toBeLessThan(total);
      for (let index = 0; index < total; index += 1) {
        expect(text(await receiver.receive())).toBe(`${index}`);
      }
      await Promise.all(sends);
    },
  );

  it('DatagramSocket.send that waits can be aborted, or is rejected by close', async () => {
    const where = abstract();
    using _receiver = DatagramSocket.bind(where);
    const sender = DatagramSocket.open();
    sender.connect(where);
    const abort = new AbortController();
    const sends = Array.from({ length: 1000 }, () => sender.send(bytes('x')).catch(codeOf));
    const aborted = sender.send(bytes('x'), [], { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    sender.close();
    expect(new Set(await Promise.all(sends))).toEqual(
      new Set([undefined, 'ERR_SCM_SOCKET_CLOSED']),
    );
    await expect(sender.send(bytes('x'))).rejects.toMatchObject({ code: 'ERR_SCM_SOCKET_CLOSED' });
  });

  it('DatagramSocket.receive is aborted alone, and rejected by close', async () => {
    const where = abstract();
    const socket = DatagramSocket.bind(where);
    const abort = new AbortController();
    const first = socket.receive({ signal: abort.signal });
    const second = socket.receive();
    abort.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    using sender = DatagramSocket.open();
    await sender.send(bytes('for the second'), [], { to: where });
    expect(text(await second)).toBe('for the second');
    const third = socket.receive();
    socket.close();
    await expect(third).rejects.toMatchObject({ code: 'ERR_SCM_SOCKET_CLOSED' });
  });

  it('DatagramSocket.send names the receiver that is not there', async () => {
    using sender = DatagramSocket.open();
    const where = path();
    await expect(sender.send(bytes('x'), [], { to: where })).rejects.toMatchObject({
      code: 'ENOENT',
      dest: where,
    });
    expect(() => sender.connect(abstract())).toThrow(
      expect.objectContaining({ code: 'ECONNREFUSED' }),
    );
  });

  it('DatagramSocket.send names the size of what cannot fit', async () => {
    const [a, b] = socketpair('dgram').map((owned) => new DatagramSocket(owned));
    await expect(a!.send(new Uint8Array(4_000_000))).rejects.toMatchObject({
      code: 'ERR_SCM_PACKET_TOO_LARGE',
    });
    a!.close();
    b!.close();
  });

  it('DatagramSocket.bind makes a file with the mode asked for, and close removes it', () => {
    const where = path();
    const socket = DatagramSocket.bind(where, { mode: 0o600 });
    expect(statSync(where).mode & 0o777).toBe(0o600);
    expect(() => DatagramSocket.bind(where)).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE' }),
    );
    socket.close();
    socket.close();
    expect(existsSync(where)).toBe(false);
  });

  it('DatagramSocket refuses what is no datagram socket, and leaves it open', () => {
    for (const owned of socketpair('stream')) {
      expect(() => new DatagramSocket(owned)).toThrow(
        expect.objectContaining({ code: 'ERR_SCM_SOCKET_TYPE' }),
      );
      owned.close();
    }
  });
});

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}
