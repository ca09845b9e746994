import { spawn } from 'node:child_process';
import { pidfdOpen, pidfdState } from '@pilotlight/scm-rights';
import { expect, test } from 'vitest';
import { waitReaped, waitReapedByAsking } from './wait-reaped.ts';

test.each([waitReaped, waitReapedByAsking])(
  '%o resolves when the child is reaped',
  async (wait) => {
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    using pidfd = pidfdOpen(child.pid!);
    const waiting = wait(pidfd);
    child.kill('SIGKILL');
    await waiting;
    expect(pidfdState(pidfd)).toBe('reaped');
  },
);

test.each([waitReaped, waitReapedByAsking])(
  '%o rejects with the reason of its signal',
  async (wait) => {
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    using pidfd = pidfdOpen(child.pid!);
    const controller = new AbortController();
    const waiting = wait(pidfd, controller.signal);
    controller.abort('enough');
    await expect(waiting).rejects.toBe('enough');
    child.kill('SIGKILL');
    await wait(pidfd);
  },
);
