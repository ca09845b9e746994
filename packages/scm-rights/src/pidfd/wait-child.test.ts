import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { setChildSubreaper } from '../process/child-subreaper.ts';
import { pidfdOpen } from './pidfd-open.ts';
import { pidfdSendSignal } from './pidfd-send-signal.ts';
import { peekChild, reapChild } from './wait-child.ts';
import { waitPidfd } from './wait-pidfd.ts';

/** The pid of an orphan, whose parent has ended before this returns. */
function orphan(script: string): number {
  // Without its streams: nobody would see their end before the orphan's.
  const line = `sh -c '${script}' >/dev/null 2>&1 & echo $!`;
  return Number(execFileSync('/bin/sh', ['-c', line], { encoding: 'utf8' }));
}

describe('setChildSubreaper', () => {
  beforeEach(() => setChildSubreaper());
  afterEach(() => setChildSubreaper(false));

  it('setChildSubreaper makes an orphan a child that can be peeked at and then reaped', async () => {
    using pidfd = pidfdOpen(orphan('sleep 0.05; exit 7'));
    await waitPidfd(pidfd);
    const status = { code: 7, signal: null, core: false, raw: 0x700 };
    expect(peekChild(pidfd)).toEqual(status);
    expect(peekChild(pidfd)).toEqual(status);
    expect(reapChild(pidfd)).toEqual(status);
    expect(() => peekChild(pidfd)).toThrow(/waitid fd \d+: ECHILD/);
    expect(() => reapChild(pidfd)).toThrow(/waitid fd \d+: ECHILD/);
  });

  it('peekChild and reapChild say undefined while the child runs, then the signal', async () => {
    using pidfd = pidfdOpen(orphan('exec sleep 60'));
    expect([peekChild(pidfd), reapChild(pidfd)]).toEqual([undefined, undefined]);
    pidfdSendSignal(pidfd, 'SIGKILL');
    await waitPidfd(pidfd);
    expect(peekChild(pidfd)).toMatchObject({ code: null, signal: 9 });
    expect(reapChild(pidfd)).toMatchObject({ code: null, signal: 9 });
  });
});

describe('setChildSubreaper(false)', () => {
  it('setChildSubreaper(false) leaves orphans to the next subreaper', async () => {
    setChildSubreaper();
    setChildSubreaper(false);
    using pidfd = pidfdOpen(orphan('exec sleep 60'));
    try {
      expect(() => peekChild(pidfd)).toThrow(/ECHILD/);
    } finally {
      pidfdSendSignal(pidfd, 'SIGKILL');
      await waitPidfd(pidfd);
    }
  });
});
