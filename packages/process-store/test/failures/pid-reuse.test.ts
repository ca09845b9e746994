import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { isRoot } from '../is-root.ts';
import { Scratch } from '../scratch.ts';
import { cgroupMount } from './hostile.ts';

const worker = fileURLToPath(new URL('pid-reuse-worker.ts', import.meta.url));

/** In a pid namespace of its own, which ends with it. */
async function reuse(...args: string[]): Promise<unknown> {
  const node = [process.execPath, '--conditions=@pilotlight/source', '--no-warnings', worker];
  const child = spawn(
    'unshare',
    ['--pid', '--fork', '--kill-child', '--mount-proc', ...node, ...args],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let text = '';
  for await (const part of child.stdout) text += String(part);
  return JSON.parse(text);
}

const canUnshare = isRoot && spawnSync('unshare', ['--version']).status === 0;

test.skipIf(!canUnshare).each(['inode', 'ticks'])(
  'a stranger with the pid of a recorded process is neither signaled nor waited for nor killed (told by its %s)',
  async (known) => {
    using scratch = new Scratch();
    const cgroup = join(cgroupMount(), `store-pid-reuse-${process.pid}-${known}`);
    mkdirSync(cgroup);
    const report = await reuse(scratch.root, known, cgroup);
    const unknown = { kind: 'unknown', id: 'one', started: true, reason: 'pid-reused' };
    expect(report).toMatchObject({
      reused: true,
      state: 'stopped',
      exit: unknown,
      stop: unknown,
      delete: 'no error',
      strangerRuns: true,
      // It was in the cgroup of the record, which is emptied before it is removed.
      memberRuns: false,
    });
    expect(report).toHaveProperty('signal', expect.stringContaining('ERR_STORE_NOT_RUNNING'));
    expect(report).toHaveProperty('signal', expect.stringContaining('pid-reused'));
    expect(existsSync(cgroup)).toBe(false);
    expect(scratch.files()).toEqual([]);
  },
);
