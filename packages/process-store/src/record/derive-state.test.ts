import { expect, test } from 'vitest';
import { deriveState } from './derive-state.ts';
import type { ExitRecord } from './exit-record.ts';

const exit: ExitRecord = {
  kind: 'unknown',
  id: 'x',
  started: true,
  exitedAt: null,
  observedAt: '2026-01-02T03:04:05.678Z',
  reason: 'reboot',
};

test.each([
  // released, exit, what the kernel says, state
  [false, undefined, 'alive', 'created'],
  [true, undefined, 'alive', 'running'],
  [false, undefined, 'zombie', 'zombie'],
  [true, undefined, 'zombie', 'zombie'],
  [false, undefined, 'ended', 'stopped'],
  [true, undefined, 'ended', 'stopped'],
  [true, undefined, 'lost', 'stopped'],
  [false, undefined, 'hidden', 'unknown'],
  [true, undefined, 'hidden', 'unknown'],
  [false, exit, undefined, 'stopped'],
  [true, exit, undefined, 'stopped'],
] as const)(
  'deriveState of released %s, exit %o, process %s is %s',
  (released, recorded, seen, state) => {
    expect(deriveState({ released, exit: recorded }, seen)).toBe(state);
  },
);
