import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it } from 'vitest';
import { connectSeqpacket } from '../connect/connect-seqpacket.ts';
import { connectStream } from '../connect/connect-stream.ts';
import { closeAll } from '../close-all.ts';
import { isSyscallError } from '../errors.ts';
import { fcntlDupfd, fcntlGetfd } from '../libc/fcntl.ts';
import { EMFILE } from '../libc/errno.ts';
import { type Libc, type LibcArgument, loadLibc, useLibc } from '../libc/library.ts';
import { openFd } from '../open-fd.ts';
import { OwnedFd } from '../owned-fd.ts';
import { socketpair } from '../socketpair.ts';
import type { UnixStream } from '../stream/unix-stream.ts';
import { listenSeqpacket } from './listen-seqpacket.ts';
import { listenStream } from './listen-stream.ts';
import { ListeningSocket } from './listening-socket.ts';
import { SOCK_STREAM } from '../libc/constants.ts';

const dir = mkdtempSync(join(tmpdir(), 'unix-server-'));
let count = 0;
const path = (): string => join(dir, `socket-${(count += 1)}`);
const abstract = (): string => `@scm-rights-test-${process.pid}-${(count += 1)}`;

afterAll(() => rmSync(dir, { recursive: true }));

describe('listenStream', () => {
  it.each([
    ['a path', path],
    ['an abstract name', abstract],
    ['an abstract name with NUL', () => `\0${abstract().slice(1)}`],
  ])('listenStream at %s accepts connections that carry descriptors', async (_name, address) => {
    const where = address();
    using server = listenStream(where);
    const client = await connectStream(where);
    const accepted = await server.accept();
    expect(fcntlGetfd(accepted.fd)).toBe(1);
    expect(accepted.peerCredentials().pid).toBe(process.pid);
    const received: OwnedFd[] = [];
    accepted.on('fds', (fds: OwnedFd[]) => received.push(...fds));
    using file = openFd('/dev/null', 0);
    client.writeWithFds(Buffer.from('hello'), [file]);
    client.end();
    expect(await text(accepted)).toBe('hello');
    expect(received).toHaveLength(1);
    closeAll(received);
  });

  it("listenStream emits 'connection' for each", async () => {
    const where = path();
    using server = listenStream(where);
    const connections: UnixStream[] = [];
    server.on('connection', (connection) => connections.push(connection));
    const clients = await Promise.all([connectStream(where), connectStream(where)]);
    while (connections.length < 2) await once(server, 'connection');
    expect(connections).toHaveLength(2);
    for (const stream of [...clients, ...connections]) stream.destroy();
  });

  it("listenStream closes what comes when the last listener for 'connection' has left, and goes on", async () => {
    const where = path();
    using server = listenStream(where);
    const unwanted = (): never => {
      throw new Error('called');
    };
    server.on('connection', unwanted);
    await new Promise((resolve) => setImmediate(resolve));
    server.off('connection', unwanted);
    const refused = await connectStream(where);
    expect(await text(refused)).toBe('');
    server.on('connection', (connection) => connection.end('welcome'));
    expect(await text(await connectStream(where))).toBe('welcome');
  });

  it('listenStream can be iterated, and closing ends the loop', async () => {
    const where = abstract();
    const server = listenStream(where);
    for (let index = 0; index < 3; index += 1) (await connectStream(where)).end(`${index}`);
    const got: string[] = [];
    for await (const connection of server) {
      got.push(await text(connection));
      if (got.length === 3) server.close();
    }
    expect(got).toEqual(['0', '1', '2']);
    await expect(server.accept()).rejects.toMatchObject({ code: 'ERR_SCM_SOCKET_CLOSED' });
  });

  it('listenStream gives its file the mode asked for, removes it, and says close', async () => {
    const where = path();
    const server = listenStream(where, { mode: 0o600 });
    expect(statSync(where).mode & 0o777).toBe(0o600);
    const closed = once(server, 'close');
    server.close();
    server.close();
    await closed;
    expect(existsSync(where)).toBe(false);
  });

  it('listenStream leaves a file alone that took the place of its own', () => {
    const where = path();
    const server = listenStream(where);
    rmSync(where);
    writeFileSync(where, 'somebody else');
    server.close();
    expect(existsSync(where)).toBe(true);
  });

  it('listenStream at an address in use says so and removes nothing', () => {
    const where = path();
    using _server = listenStream(where);
    expect(() => listenStream(where)).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE', syscall: 'bind', path: where }),
    );
    expect(existsSync(where)).toBe(true);
  });

  it('listenStream rejects a pending accept when it is closed, or aborted', async () => {
    const server = listenStream(path());
    const abort = new AbortController();
    const aborted = server.accept({ signal: abort.signal });
    const pending = server.accept();
    abort.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    server.close();
    await expect(pending).rejects.toMatchObject({ code: 'ERR_SCM_SOCKET_CLOSED' });
  });

  it('listenStream takes over a socket that listens already', async () => {
    const where = path();
    using first = listenStream(where);
    using server = listenStream(new OwnedFd(fcntlDupfd(first.fd), 'inherited'));
    const client = createConnection(where);
    client.end('inherited');
    expect(await text(await server.accept())).toBe('inherited');
  });

  it('listenStream refuses a socket that does not listen, and leaves it open', () => {
    const [a, b] = socketpair('stream');
    expect(() => listenStream(a)).toThrow(expect.objectContaining({ code: 'ERR_SCM_SOCKET_TYPE' }));
    expect(a.closed).toBe(false);
    closeAll([a, b]);
  });

  it("listenStream reports want of descriptors as 'error' and accepts the connection later", async () => {
    const where = path();
    using server = listenStream(where);
    const waiting = await connectStream(where);
    const failing = Promise.withResolvers<unknown>();
    server.once('error', failing.resolve);
    {
      using _full = useLibc(refusing('accept4', EMFILE, loadLibc()));
      server.once('connection', (connection) => connection.end('later'));
      expect(isSyscallError(await failing.promise, 'EMFILE')).toBe(true);
    }
    expect(await text(waiting)).toBe('later');
  });
});

describe('connectStream', () => {
  it.each([
    ['a path without file', path, 'ENOENT'],
    ['an abstract name that nobody has', abstract, 'ECONNREFUSED'],
  ])('connectStream to %s fails', async (_name, address, code) => {
    const where = address();
    await expect(connectStream(where)).rejects.toMatchObject({
      code,
      syscall: 'connect',
      path: where,
    });
  });

  it('connectStream waits while the queue is full, and can be aborted', async () => {
    const where = path();
    using server = listenStream(where, { backlog: 0 });
    const first = await connectStream(where);
    const abort = new AbortController();
    const aborted = connectStream(where, { signal: abort.signal });
    const waits = connectStream(where);
    abort.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    (await server.accept()).destroy();
    const second = await waits;
    (await server.accept()).destroy();
    for (const client of [first, second]) client.destroy();
  });

  it('connectStream to a packet socket is EPROTOTYPE', async () => {
    const where = path();
    using _server = listenSeqpacket(where);
    await expect(connectStream(where)).rejects.toMatchObject({ code: 'EPROTOTYPE' });
  });
});

describe('listenSeqpacket', () => {
  it('listenSeqpacket and connectSeqpacket exchange packets with descriptors', async () => {
    const where = abstract();
    using server = listenSeqpacket(where);
    using client = await connectSeqpacket(where);
    using accepted = await server.accept();
    using file = openFd('/dev/null', 0);
    await client.send(new Uint8Array([1, 2]), Array(253).fill(file));
    const packet = await accepted.receive();
    expect([packet?.bytes.length, packet?.fds.length]).toEqual([2, 253]);
    closeAll(packet?.fds ?? []);
    client.close();
    expect(await accepted.receive()).toBeUndefined();
  });
});

describe('ListeningSocket', () => {
  it('ListeningSocket.bind leaves no descriptor and no file when listening fails', () => {
    const where = path();
    using _refusing = useLibc(refusing('listen', 98, loadLibc()));
    expect(() => ListeningSocket.bind(SOCK_STREAM, where, {})).toThrow(/listen .*: EADDRINUSE/);
    expect(existsSync(where)).toBe(false);
  });
});

/** The real libc, in which one function fails. */
function refusing(name: string, errno: number, real: Libc): Libc {
  let refused = false;
  return {
    ...real,
    errno: () => (refused ? errno : real.errno()),
    func: <Result = number>(symbol: string, result: string, params: readonly string[]) => {
      const call = real.func<Result>(symbol, result, params);
      const wrapped = (...args: LibcArgument[]): Result => {
        refused = symbol === name;
        return refused ? (-1 as Result) : call(...args);
      };
      return Object.assign(wrapped, { async: call.async.bind(call) });
    },
  };
}
