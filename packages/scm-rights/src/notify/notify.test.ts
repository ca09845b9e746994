import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { closeAll } from '../close-all.ts';
import { DatagramSocket } from '../datagram/datagram-socket.ts';
import { pipe2 } from '../libc/pipe2.ts';
import { openFd } from '../open-fd.ts';
import { OwnedFd } from '../owned-fd.ts';
import { socketpair } from '../socketpair.ts';
import { removeStoredFds, storeFds } from './fd-store.ts';
import { listenFds } from './listen-fds.ts';
import { sdNotify } from './sd-notify.ts';
import { sdNotifyBarrier } from './sd-notify-barrier.ts';

const dir = mkdtempSync(join(tmpdir(), 'notify-'));
const socket = join(dir, 'notify');
let manager: DatagramSocket;

beforeAll(() => {
  manager = DatagramSocket.bind(socket);
});

afterAll(() => {
  manager.close();
  rmSync(dir, { recursive: true });
});

afterEach(() => {
  delete process.env['NOTIFY_SOCKET'];
});

/** What the manager gets, its descriptors closed. */
async function nextNotification(): Promise<{ lines: string[]; fds: number }> {
  const { bytes, fds } = await manager.receive();
  closeAll(fds);
  return { lines: new TextDecoder().decode(bytes).split('\n'), fds: fds.length };
}

describe('sdNotify', () => {
  it('sdNotify sends one line for each field to the socket that the environment names', async () => {
    process.env['NOTIFY_SOCKET'] = socket;
    expect(await sdNotify({ READY: 1, STATUS: 'serving = well' })).toBe(true);
    expect(await nextNotification()).toEqual({
      lines: ['READY=1', 'STATUS=serving = well'],
      fds: 0,
    });
  });

  it('sdNotify reaches an abstract name', async () => {
    const abstract = `@notify-test-${process.pid}`;
    using other = DatagramSocket.bind(abstract);
    expect(await sdNotify({ WATCHDOG: 1 }, { socket: abstract })).toBe(true);
    expect(new TextDecoder().decode((await other.receive()).bytes)).toBe('WATCHDOG=1');
  });

  it('sdNotify does nothing when no manager asked', async () => {
    expect(await sdNotify({ READY: 1 })).toBe(false);
    expect(await storeFds('name', [0])).toBe(false);
    expect(await removeStoredFds('name')).toBe(false);
    expect(await sdNotifyBarrier()).toBe(false);
  });

  it.each([[{ STATUS: 'two\nlines' }], [{ 'bad name': 1 }], [{ STATUS: '\ud800' }], [{}]])(
    'sdNotify refuses %j',
    async (fields) => {
      await expect(sdNotify(fields as Record<string, string>, { socket })).rejects.toMatchObject({
        code: 'ERR_SCM_INVALID_ARGUMENT',
      });
    },
  );

  it('sdNotify refuses an address of another kind', async () => {
    await expect(sdNotify({ READY: 1 }, { socket: 'vsock:2:1234' })).rejects.toMatchObject({
      code: 'ERR_SCM_ENVIRONMENT',
    });
  });

  it('sdNotify says that the manager is gone', async () => {
    await expect(sdNotify({ READY: 1 }, { socket: join(dir, 'none') })).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});

describe('storeFds', () => {
  it('storeFds sends the descriptors with FDPOLL=0, which keeps those that hang up', async () => {
    using file = openFd('/dev/null', 0);
    await storeFds('pid-12', [file, file], { socket });
    expect(await nextNotification()).toEqual({
      lines: ['FDSTORE=1', 'FDNAME=pid-12', 'FDPOLL=0'],
      fds: 2,
    });
    await storeFds('pid-12', [file], { socket, poll: true });
    expect((await nextNotification()).lines).toEqual(['FDSTORE=1', 'FDNAME=pid-12']);
  });

  it('removeStoredFds names what to remove', async () => {
    await removeStoredFds('pid-12', { socket });
    expect(await nextNotification()).toEqual({
      lines: ['FDSTOREREMOVE=1', 'FDNAME=pid-12'],
      fds: 0,
    });
  });

  it.each(['', 'a:b', 'tab\t', 'ü', 'x'.repeat(256)])(
    'storeFds refuses the name %j',
    async (name) => {
      const refused = { code: 'ERR_SCM_INVALID_ARGUMENT' };
      await expect(storeFds(name, [0], { socket })).rejects.toMatchObject(refused);
      await expect(removeStoredFds(name, { socket })).rejects.toMatchObject(refused);
    },
  );

  it('storeFds refuses to store nothing', async () => {
    await expect(storeFds('name', [], { socket })).rejects.toThrow(/descriptors to store/);
  });
});

describe('sdNotifyBarrier', () => {
  it('sdNotifyBarrier resolves when the manager closes what it was sent, and not before', async () => {
    let passed = false;
    const barrier = sdNotifyBarrier({ socket }).then((result) => {
      passed = true;
      return result;
    });
    const { bytes, fds } = await manager.receive();
    expect(new TextDecoder().decode(bytes)).toBe('BARRIER=1');
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect([passed, fds.length]).toEqual([false, 1]);
    closeAll(fds);
    expect(await barrier).toBe(true);
  });

  it('sdNotifyBarrier can be aborted', async () => {
    const abort = new AbortController();
    const barrier = sdNotifyBarrier({ socket, signal: abort.signal });
    const { fds } = await manager.receive();
    abort.abort(new Error('enough'));
    await expect(barrier).rejects.toThrow('enough');
    closeAll(fds);
  });
});

describe('listenFds', () => {
  it('listenFds takes what was passed, by name, and the variables with it', async () => {
    expect(await printed(['self', '2', 'http:stored'])).toEqual({
      passed: [
        { name: 'http', fifo: true, socket: false, closeOnExec: true },
        { name: 'stored', fifo: false, socket: true, closeOnExec: true },
      ],
      left: [],
      again: 0,
    });
  });

  it('listenFds without names calls them unknown', async () => {
    expect(await printed(['self', '2'])).toMatchObject({
      passed: [{ name: 'unknown' }, { name: 'unknown' }],
    });
  });

  it('listenFds leaves what is meant for another process', async () => {
    expect(await printed(['1', '2'])).toMatchObject({
      passed: [],
      left: ['LISTEN_PID', 'LISTEN_FDS'],
    });
  });

  it.each([
    ['many', undefined],
    ['-1', undefined],
    ['2', 'only-one'],
  ])('listenFds refuses LISTEN_FDS=%s with LISTEN_FDNAMES=%s', async (count, names) => {
    const given = names === undefined ? [count] : [count, names];
    expect(await printed(['self', ...given])).toEqual({ code: 'ERR_SCM_ENVIRONMENT' });
  });

  it('listenFds takes nothing if one of them is not open', async () => {
    expect(await printed(['self', '900'])).toEqual({ code: 'EBADF' });
  });

  it('listenFds gives none where nothing was passed', () => {
    expect(listenFds({ environment: {} })).toEqual([]);
  });
});

/** What the fixture says of a pipe and a socket that it gets as descriptors 3 and 4. */
async function printed(args: string[]): Promise<unknown> {
  const program = new URL('../../test/fixtures/print-passed-fds.ts', import.meta.url).pathname;
  const pipe = pipe2().map((fd) => new OwnedFd(fd));
  const sockets = socketpair('stream');
  const child = spawn(process.execPath, ['--conditions=@pilotlight/source', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit', pipe[0]!.fd, sockets[0].fd],
  });
  closeAll([...pipe, ...sockets]);
  return JSON.parse(await text(child.stdout!));
}
