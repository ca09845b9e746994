import { decodeWaitStatus } from '@pilotlight/scm-rights';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CgroupCounters } from '../cgroup/counters.ts';
import { decideEnd, type EndReason, hasFailed, type Stop, unknownEnd } from './end.ts';

const exited = (code: number): number => code << 8;
const killed = 9;
const timeout: Stop = { reason: 'timeout', because: 'it ran for more than 5 ms' };
const outputLimit: Stop = { reason: 'outputLimit', because: 'it wrote more than 5 bytes' };
const aborted: Stop = { reason: 'aborted', because: 'of you', cause: new Error('of you') };
const none: CgroupCounters = { oomKill: 0n, pidsLimit: 0n };
const oom: CgroupCounters = { oomKill: 1n, pidsLimit: 0n };
const pids: CgroupCounters = { oomKill: 0n, pidsLimit: 2n };

describe('decideEnd', () => {
  it.each<[EndReason, number, Stop | undefined, CgroupCounters | undefined, string]>([
    ['exited', exited(0), undefined, undefined, 'exited with 0'],
    ['exited', exited(7), undefined, none, 'exited with 7'],
    ['signaled', 15, undefined, none, 'ended by SIGTERM'],
    ['signaled', 11 | 0x80, undefined, none, 'ended by SIGSEGV, which dumped its core'],
    ['signaled', 36, undefined, undefined, 'ended by SIGRTMIN+2'],
    ['timeout', killed, timeout, undefined, 'killed: it ran for more than 5 ms'],
    ['aborted', killed, aborted, none, 'killed: of you'],
    ['outputLimit', killed, outputLimit, none, 'killed: it wrote more than 5 bytes'],
    // It had ended already, and what it said is cut all the same.
    ['outputLimit', exited(0), outputLimit, none, 'exited with 0: it wrote more than 5 bytes'],
    // It ended by itself just before.
    ['exited', exited(0), timeout, none, 'exited with 0'],
    ['exited', exited(3), aborted, undefined, 'exited with 3'],
    ['signaled', 15, timeout, none, 'ended by SIGTERM'],
    // Our own kill says more than what happened on the way.
    ['timeout', killed, timeout, oom, 'killed: it ran for more than 5 ms'],
    ['oom', killed, undefined, oom, 'ended by SIGKILL: the kernel killed'],
    ['oom', exited(137), undefined, oom, 'exited with 137: the kernel killed'],
    ['oom', killed, undefined, { oomKill: 1n, pidsLimit: 1n }, 'ended by SIGKILL'],
    ['pidsLimit', exited(2), undefined, pids, 'exited with 2: its cgroup allows no more'],
    // It came to terms with the limit.
    ['exited', exited(0), undefined, pids, 'exited with 0'],
    ['exited', exited(0), undefined, oom, 'exited with 0'],
  ])('decideEnd says %s for status %i', (reason, raw, stop, counters, message) => {
    const status = decodeWaitStatus(raw);
    const end = decideEnd(status, stop, counters);
    expect(end).toMatchObject({ reason, code: status.code, signal: status.signal, status });
    expect(end.cause).toBe(reason === 'aborted' ? aborted.cause : undefined);
    expect(end.message).toContain(message);
  });

  it('decideEnd never takes a success for a limit that was hit, but for cut output', () => {
    const counter = fc.bigInt({ min: 0n, max: 3n });
    fc.assert(
      fc.property(
        fc.record({ oomKill: counter, pidsLimit: counter }),
        fc.constantFrom(undefined, timeout, aborted),
        (counters, stop) => {
          expect(decideEnd(decodeWaitStatus(0), stop, counters).reason).toBe('exited');
        },
      ),
    );
  });
});

describe('hasFailed', () => {
  it('hasFailed is true for a signal and for every code but 0', () => {
    expect([0, exited(1), 9].map((raw) => hasFailed(decodeWaitStatus(raw)))).toEqual([
      false,
      true,
      true,
    ]);
  });
});

describe('unknownEnd', () => {
  it('unknownEnd says why nobody knows', () => {
    const cause = new Error('the zygote died');
    expect(unknownEnd(cause)).toEqual({
      reason: 'unknown',
      code: null,
      signal: null,
      status: undefined,
      message: 'the zygote died',
      cause,
    });
  });
});
