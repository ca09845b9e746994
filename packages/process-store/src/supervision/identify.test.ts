import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pidfdInode, pidfdOpen } from '@pilotlight/scm-rights';
import { countOpenFds } from '@pilotlight/scm-rights/testing';
import { expect, test } from 'vitest';
import { identify } from './identify.ts';
import { readStartTicks } from './start-ticks.ts';

async function withChild(use: (pid: number) => void): Promise<void> {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  try {
    use(child.pid!);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

test('identify proves a process by its inode, or by its start time where there is none', async () => {
  await withChild((pid) => {
    using own = pidfdOpen(pid);
    const startTicks = readStartTicks(pid)!;
    for (const pidfsIno of [pidfdInode(own)!, null]) {
      const identified = identify({ pid, startTicks, pidfsIno });
      using pidfd = 'pidfd' in identified ? identified.pidfd : undefined;
      expect(identified.kind).toBe('same');
      expect(pidfd && pidfdInode(pidfd)).toBe(pidfdInode(own));
    }
  });
});

test('identify takes a process with the pid and another start time, or inode, for a stranger', async () => {
  const before = countOpenFds();
  await withChild((pid) => {
    const startTicks = readStartTicks(pid)!;
    expect(identify({ pid, startTicks: startTicks - 1n, pidfsIno: null })).toEqual({
      kind: 'reused',
    });
    expect(identify({ pid, startTicks, pidfsIno: 1n })).toEqual({ kind: 'reused' });
  });
  expect(countOpenFds()).toBe(before);
});

test('identify finds a process gone once it is reaped', async () => {
  let record = { pid: 0, startTicks: 0n, pidfsIno: null };
  await withChild((pid) => {
    record = { pid, startTicks: readStartTicks(pid)!, pidfsIno: null };
  });
  expect(identify(record)).toEqual({ kind: 'gone' });
});
