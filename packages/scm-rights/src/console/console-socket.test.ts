import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { connectStream } from '../connect/connect-stream.ts';
import { loadLibc } from '../libc/library.ts';
import { O_NOCTTY, O_RDWR } from '../libc/constants.ts';
import { read } from '../libc/read.ts';
import { write } from '../libc/write.ts';
import { openFd } from '../open-fd.ts';
import { OwnedFd } from '../owned-fd.ts';
import { Readiness } from '../readiness/readiness.ts';
import { sendFileBlocking } from '../send-file-blocking.ts';
import { withoutFdLeak } from '../testing/without-fd-leak.ts';
import { clearOnlcr } from './clear-onlcr.ts';
import { ConsoleSocket } from './console-socket.ts';
import { getWindowSize, setWindowSize } from './window-size.ts';

const dir = mkdtempSync(join(tmpdir(), 'console-'));
const path = join(dir, 'socket');

afterAll(() => rmSync(dir, { recursive: true }));

/** A pty: its master, and the other end, which a program would have. */
function openPty(): [OwnedFd, OwnedFd] {
  const master = openFd('/dev/ptmx', O_RDWR | O_NOCTTY);
  const libc = loadLibc();
  expect(libc.func('unlockpt', 'int', ['int'])(master.fd)).toBe(0);
  const name = Buffer.alloc(64);
  expect(libc.func('ptsname_r', 'int', ['int', 'void *', 'size_t'])(master.fd, name, 64)).toBe(0);
  const terminal = openFd(name.toString('utf8', 0, name.indexOf(0)), O_RDWR | O_NOCTTY);
  return [master, terminal];
}

async function withConsole(
  body: (socket: ConsoleSocket, readiness: Readiness) => Promise<void>,
): Promise<void> {
  await withoutFdLeak(async () => {
    const readiness = new Readiness();
    const socket = ConsoleSocket.listen(path, { readiness });
    try {
      await body(socket, readiness);
    } finally {
      socket.close();
      await readiness.close();
    }
  });
  expect(existsSync(path)).toBe(false);
}

/** What a runtime does: connect, send, close. */
async function sendConsole(name: string, fd: number, readiness: Readiness): Promise<void> {
  const stream = await connectStream(path, { readiness });
  sendFileBlocking(stream.fd, name, fd);
  stream.destroy();
}

describe('ConsoleSocket', () => {
  it('ConsoleSocket.receive gives the master that a runtime sends, and its name', async () => {
    await withConsole(async (socket, readiness) => {
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const [master, terminal] = openPty();
      const receiving = socket.receive();
      await sendConsole('/dev/ptmx', master.fd, readiness);
      master.close();
      const received = await receiving;
      expect(received.name).toBe('/dev/ptmx');
      write(terminal.fd, Buffer.from('from the program'));
      const bytes = Buffer.alloc(64);
      expect(bytes.toString('utf8', 0, read(received.fd.fd, bytes))).toBe('from the program');
      terminal.close();
      received.fd.close();
    });
  });

  it('ConsoleSocket.receive refuses what is no terminal, closes it, and goes on', async () => {
    await withConsole(async (socket, readiness) => {
      using file = openFd('/dev/null', 0);
      await sendConsole('no terminal', file.fd, readiness);
      await expect(socket.receive()).rejects.toMatchObject({
        code: 'ERR_SCM_NOT_A_TERMINAL',
        cause: { code: 'ENOTTY' },
      });
      const [master, terminal] = openPty();
      await sendConsole('a terminal', master.fd, readiness);
      const received = await socket.receive();
      expect(received.name).toBe('a terminal');
      for (const owned of [received.fd, master, terminal]) owned.close();
    });
  });

  it('ConsoleSocket.receive names each way in which a sender may fail', async () => {
    await withConsole(async (socket, readiness) => {
      (await connectStream(path, { readiness })).destroy();
      await expect(socket.receive()).rejects.toMatchObject({ code: 'ERR_SCM_UNEXPECTED_EOF' });

      const plain = await connectStream(path, { readiness });
      plain.end('no descriptor');
      await expect(socket.receive()).rejects.toMatchObject({ code: 'ERR_SCM_UNEXPECTED_FDS' });
      plain.destroy();

      using file = openFd('/dev/null', 0);
      const two = await connectStream(path, { readiness });
      two.writeWithFds(Buffer.from('two'), [file, file]);
      await expect(socket.receive()).rejects.toMatchObject({ code: 'ERR_SCM_UNEXPECTED_FDS' });
      two.destroy();

      const long = await connectStream(path, { readiness });
      long.writeWithFds(Buffer.alloc(4096, 'x'), [file]);
      await expect(socket.receive()).rejects.toMatchObject({ code: 'ERR_SCM_FILE_NAME_TOO_LONG' });
      long.destroy();
    });
  });

  it('ConsoleSocket.receive can be aborted before and after a silent sender has connected', async () => {
    await withConsole(async (socket, readiness) => {
      for (const connected of [false, true]) {
        const silent = connected ? await connectStream(path, { readiness }) : undefined;
        const abort = new AbortController();
        const receiving = socket.receive({ signal: abort.signal });
        await new Promise((resolve) => setImmediate(resolve));
        abort.abort(new Error('enough'));
        await expect(receiving).rejects.toThrow('enough');
        silent?.destroy();
      }
    });
  });

  it('ConsoleSocket.close rejects a pending receive', async () => {
    await withConsole(async (socket) => {
      const receiving = socket.receive();
      socket.close();
      await expect(receiving).rejects.toMatchObject({ code: 'ERR_SCM_SOCKET_CLOSED' });
      expect(socket.closed).toBe(true);
    });
  });
});

describe('setWindowSize', () => {
  it('setWindowSize on the master is what getWindowSize tells at the other end', () => {
    const [master, terminal] = openPty();
    setWindowSize(master, { rows: 43, columns: 65_535 });
    expect(getWindowSize(terminal)).toEqual({ rows: 43, columns: 65_535 });
    for (const owned of [master, terminal]) owned.close();
  });

  it.each([-1, 1.5, 65_536, NaN])('setWindowSize refuses %s rows', (rows) => {
    expect(() => setWindowSize(0, { rows, columns: 80 })).toThrow(/check rows/);
  });

  it('setWindowSize and getWindowSize of what is no terminal are ENOTTY', () => {
    using file = openFd('/dev/null', 0);
    const notTty = expect.objectContaining({ code: 'ENOTTY', fd: file.fd });
    expect(() => getWindowSize(file)).toThrow(notTty);
    expect(() => setWindowSize(file, { rows: 1, columns: 1 })).toThrow(notTty);
    expect(() => clearOnlcr(file)).toThrow(notTty);
  });
});

describe('clearOnlcr', () => {
  it('clearOnlcr lets newlines through as they are', () => {
    const [master, terminal] = openPty();
    const written = (): string => {
      write(terminal.fd, Buffer.from('a\n'));
      const bytes = Buffer.alloc(16);
      return bytes.toString('utf8', 0, read(master.fd, bytes));
    };
    expect(written()).toBe('a\r\n');
    clearOnlcr(master);
    expect(written()).toBe('a\n');
    for (const owned of [master, terminal]) owned.close();
  });
});
