import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReadStream } from 'node:tty';
import { promisify } from 'node:util';
import { ConsoleSocket, getWindowSize } from '@pilotlight/scm-rights';
import { afterAll, describe, expect, it } from 'vitest';

const BUSYBOX = '/usr/bin/busybox';

const missing = [
  ...(process.getuid?.() === 0 ? [] : ['root']),
  ...(spawnSync('runc', ['--version']).status === 0 ? [] : ['runc']),
  ...(existsSync(BUSYBOX) ? [] : ['busybox']),
];

describe.skipIf(missing.length > 0)('ConsoleSocket under runc (needs: root, runc, busybox)', () => {
  const dir = mkdtempSync(join(tmpdir(), 'console-runc-'));
  const state = join(dir, 'state');
  const id = `console-${process.pid}`;

  afterAll(async () => {
    await runc('delete', '--force', id);
    rmSync(dir, { recursive: true });
  });

  it('ConsoleSocket.receive gets the terminal of a container, sized as its config says', async () => {
    makeBundle(dir);
    using socket = ConsoleSocket.listen(join(dir, 'console'));
    const [{ name, fd }] = await Promise.all([
      socket.receive({ signal: AbortSignal.timeout(20_000) }),
      runc('run', '--detach', '--console-socket', join(dir, 'console'), '--bundle', dir, id),
    ]);
    // What runc calls it is only for people, and differs between its releases.
    expect(name).toMatch(/^\/dev\/p/);
    expect(getWindowSize(fd)).toEqual({ rows: 30, columns: 99 });
    let output = '';
    // The stream takes the number over.
    const terminal = new ReadStream(fd.release());
    const over = new Promise<unknown>((resolve) => terminal.once('error', resolve));
    terminal.on('data', (chunk: Buffer) => (output += chunk.toString()));
    // The last process of a terminal has ended: that is EIO on its master.
    expect(await over).toMatchObject({ code: 'EIO' });
    expect(output).toBe('inside\r\n30 99\r\n');
  });

  async function runc(...args: string[]): Promise<void> {
    await promisify(execFile)('runc', ['--root', state, ...args], { timeout: 20_000 });
  }
});

function makeBundle(dir: string): void {
  for (const name of ['bin', 'proc', 'dev'])
    mkdirSync(join(dir, 'rootfs', name), { recursive: true });
  copyFileSync(BUSYBOX, join(dir, 'rootfs/bin/busybox'));
  const config = {
    ociVersion: '1.0.2',
    process: {
      terminal: true,
      consoleSize: { height: 30, width: 99 },
      user: { uid: 0, gid: 0 },
      args: ['/bin/busybox', 'sh', '-c', 'echo inside; busybox stty size'],
      env: ['PATH=/bin'],
      cwd: '/',
    },
    root: { path: 'rootfs' },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
      },
    ],
    linux: { namespaces: ['pid', 'ipc', 'mount'].map((type) => ({ type })) },
  };
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
}
