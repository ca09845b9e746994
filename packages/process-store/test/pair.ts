import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  isSyscallError,
  pidfdOpen,
  pidfdSendSignal,
  pidfdState,
  socketpair,
} from '@pilotlight/scm-rights';
import { expect } from 'vitest';
import type { ProcessStore, Tier } from '../src/index.ts';

/** Monitor and keeper of a root. */
export interface Pair {
  monitor: number;
  keeper: number;
}

/** Who they are now; waits for a monitor that is being restarted. */
export async function pairOf(store: ProcessStore): Promise<Pair> {
  let pair: Pair | undefined;
  await expect
    .poll(async () => {
      const { monitor } = await store.info();
      pair = monitor && { monitor: monitor.pid, keeper: monitor.keeperPid ?? 0 };
      return pair;
    })
    .toBeDefined();
  return pair!;
}

/** Whether a process runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  try {
    using pidfd = pidfdOpen(pid);
    return pidfdState(pidfd) === 'running';
  } catch (error) {
    if (isSyscallError(error, 'ESRCH')) return false;
    throw error;
  }
}

/** Kills one and waits until it is dead. */
export async function kill(pid: number): Promise<void> {
  using pidfd = pidfdOpen(pid);
  pidfdSendSignal(pidfd, 'SIGKILL');
  await expect.poll(() => isAlive(pid)).toBe(false);
}

export async function expectGone(...pids: number[]): Promise<void> {
  await expect.poll(() => pids.filter(isAlive)).toEqual([]);
}

/** Starts a program of this folder from the sources. */
export function runFixture(
  name: string,
  args: readonly string[],
  stdin: number | 'pipe' = 'pipe',
): ChildProcess {
  const program = fileURLToPath(new URL(name, import.meta.url));
  const flags = ['--conditions=@pilotlight/source', '--no-warnings'];
  return spawn(process.execPath, [...flags, program, ...args], {
    stdio: [stdin, 'pipe', 'inherit'],
  });
}

/** A program whose launcher is dead, and which ends when it is told the code to end with. */
export async function launchAndDie(
  root: string,
  tier: Tier,
  id: string,
): Promise<{ end: (code: number) => void }> {
  // Not a stream of the launcher's, which would end with it.
  const [ours, theirs] = socketpair('stream');
  const launcher = runFixture('reading-launcher.ts', [root, tier, id], theirs.fd);
  theirs.close();
  const [, signal] = (await once(launcher, 'exit')) as [unknown, unknown];
  expect(signal).toBe('SIGKILL');
  return {
    end(code) {
      writeSync(ours.fd, `${code}\n`);
      ours.close();
    },
  };
}
