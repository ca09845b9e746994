import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ExitRecord } from '../record/exit-record.ts';
import { exitStatusOf, parseExitStatus, parsePid, parseStartTime } from './number-files.ts';

const facts = { id: 'a', started: true, exitedAt: null, observedAt: '2016-01-01T00:00:00.000Z' };
const known = { oom: null, source: 'parent' as const };

const exited = (code: number): ExitRecord => ({
  ...facts,
  ...known,
  kind: 'exited',
  rawStatus: code << 8,
  code,
  signal: null,
  core: false,
});
const signaled = (signal: number): ExitRecord => ({
  ...facts,
  ...known,
  kind: 'signaled',
  rawStatus: signal,
  code: null,
  signal,
  core: false,
});

test('parseExitStatus reads what exitStatusOf says: the code, or 128 and the signal', () => {
  fc.assert(
    fc.property(fc.nat(255), (code) => {
      expect(parseExitStatus(String(exitStatusOf(exited(code))), 'exitStatus')).toBe(code);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), (signal) => {
      expect(parseExitStatus(String(exitStatusOf(signaled(signal))), 'exitStatus')).toBe(
        128 + signal,
      );
    }),
  );
  expect(exitStatusOf({ ...facts, kind: 'unknown', reason: 'no-holder' })).toBe(255);
  expect(parseExitStatus('4294967295', 'exitStatus')).toBe(0xffff_ffff);
});

test('parseExitStatus takes an empty file for not yet (mistake 3), and refuses what is no number', () => {
  expect(parseExitStatus('', 'exitStatus')).toBeUndefined();
  for (const text of ['7\n', ' 7', '-1', '4294967296', 'seven', '0x7', '7.5', '99999999999']) {
    expect(() => parseExitStatus(text, '/s/exitStatus')).toThrow(
      expect.objectContaining({ code: 'ERR_STORE_BAD_RECORD' }),
    );
  }
});

test('parsePid and parseStartTime take what cannot be parsed for not yet (mistake 1)', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4_194_304 }), (pid) => {
      expect(parsePid(String(pid))).toBe(pid);
    }),
  );
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (ticks) => {
      expect(parseStartTime(String(ticks))).toBe(ticks);
    }),
  );
  for (const text of ['', '\n', 'x', '0', '-5', '4194305', '12 34', '1\n']) {
    expect(parsePid(text)).toBeUndefined();
  }
  for (const text of ['', '\n', 'x', '-5', '1 2']) expect(parseStartTime(text)).toBeUndefined();
});
