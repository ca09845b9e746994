import { assert, constantFrom, integer, property } from 'fast-check';
import { expect, test } from 'vitest';
import type { ExitRecord } from '../record/exit-record.ts';
import { nextRestart, type RestartPolicy, restartPolicySchema } from './restart-policy.ts';

const about = { id: 'a', started: true, exitedAt: null, observedAt: '2026-01-01T00:00:00Z' };
const known = { ...about, oom: null, source: 'pin' as const };
const good: ExitRecord = {
  ...known,
  kind: 'exited',
  rawStatus: 0,
  code: 0,
  signal: null,
  core: false,
};
const failures: ExitRecord[] = [
  { ...known, kind: 'exited', rawStatus: 256, code: 1, signal: null, core: false },
  { ...known, kind: 'signaled', rawStatus: 9, code: null, signal: 9, core: false },
  { ...about, kind: 'unknown', reason: 'no-holder' },
  // A child that left at its gate: its program never ran.
  { ...good, started: false },
];
const fresh = (policy: RestartPolicy) => ({ policy, count: 0, short: 0 });

test('nextRestart never restarts without a policy for it', () => {
  for (const exit of [good, ...failures]) {
    expect(nextRestart(fresh({ name: 'no' }), { exit, lastedMs: 1 })).toBeUndefined();
  }
});

test('nextRestart restarts on failure after every end but a clean one, up to the limit', () => {
  const policy: RestartPolicy = { name: 'on-failure', maxRestarts: 2 };
  expect(nextRestart(fresh(policy), { exit: good, lastedMs: 1 })).toBeUndefined();
  for (const exit of failures) {
    expect(nextRestart(fresh(policy), { exit, lastedMs: 1 })).toBeDefined();
    expect(nextRestart({ policy, count: 1, short: 0 }, { exit, lastedMs: 1 })).toBeDefined();
    expect(nextRestart({ policy, count: 2, short: 0 }, { exit, lastedMs: 1 })).toBeUndefined();
  }
});

test('nextRestart always restarts where it is asked to', () => {
  for (const exit of [good, ...failures]) {
    const due = nextRestart(
      { policy: { name: 'always' }, count: 1000, short: 0 },
      { exit, lastedMs: 1 },
    );
    expect(due?.restarts.count).toBe(1001);
  }
});

test('nextRestart doubles the pause after each short run, and begins anew after one that lasted', () => {
  const policy: RestartPolicy = { name: 'always', firstMs: 10, mostMs: 50, lastedMs: 1000 };
  const pauses: number[] = [];
  let restarts = fresh(policy);
  for (const lastedMs of [1, 1, 1, 1, 5000, 1, null]) {
    const due = nextRestart(restarts, { exit: good, lastedMs });
    pauses.push(due?.delayMs ?? -1);
    restarts = due?.restarts ?? restarts;
  }
  expect(pauses).toEqual([10, 20, 40, 50, 10, 20, 40]);
});

test('nextRestart keeps every pause within the bounds, however often it was started', () => {
  assert(
    property(
      constantFrom(...failures),
      integer({ min: 0, max: 10_000 }),
      integer({ min: 0, max: 10_000 }),
      integer({ min: 0, max: 100_000 }),
      (exit, short, firstMs, extra) => {
        const policy: RestartPolicy = { name: 'always', firstMs, mostMs: firstMs + extra };
        const due = nextRestart({ policy, count: short, short }, { exit, lastedMs: 0 });
        expect(due?.delayMs).toBeGreaterThanOrEqual(firstMs);
        expect(due?.delayMs).toBeLessThanOrEqual(firstMs + extra);
      },
    ),
  );
});

test.each([
  {},
  { name: 'sometimes' },
  { name: 'always', maxRestarts: 3 },
  { name: 'on-failure', maxRestarts: -1 },
  { name: 'always', firstMs: 0.5 },
])('restartPolicySchema refuses %j', (policy) => {
  expect(restartPolicySchema.safeParse(policy).success).toBe(false);
});
