import { decodeWaitStatus } from '@pilotlight/scm-rights';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { BadRecordError } from '../errors.ts';
import { exitRecordSchema, formatExitRecord, knownExit } from './exit-record.ts';
import { parseRecord } from './parse-record.ts';

const at = '2026-01-02T03:04:05.678Z';
const read = (text: string) => parseRecord(text, exitRecordSchema, '/p/x/exit.json');

const rawStatuses = fc.oneof(
  fc.integer({ min: 0, max: 255 }).map((code) => code << 8),
  fc
    .record({ signal: fc.integer({ min: 1, max: 126 }), core: fc.boolean() })
    .map(({ signal, core }) => signal | (core ? 0x80 : 0)),
);

test('formatExitRecord writes what exitRecordSchema reads back', () => {
  fc.assert(
    fc.property(
      rawStatuses,
      fc.boolean(),
      fc.constantFrom(true, false, null),
      fc.constantFrom('parent' as const, 'pin' as const, 'pidfd' as const),
      (raw, started, oom, source) => {
        const about = { id: 'x', started, exitedAt: null, observedAt: at, oom, source };
        const record = knownExit(decodeWaitStatus(raw), about);
        expect(read(formatExitRecord(record))).toEqual(record);
      },
    ),
  );
});

test.each(['reboot', 'no-holder', 'pid-reused'] as const)(
  'formatExitRecord keeps an unknown end (%s) apart from every status',
  (reason) => {
    const record = {
      kind: 'unknown' as const,
      id: 'x',
      started: true,
      exitedAt: null,
      observedAt: at,
      reason,
    };
    const text = formatExitRecord(record);
    expect(read(text)).toEqual(record);
    expect(JSON.parse(text)).toMatchObject({
      schema: 1,
      rawStatus: null,
      code: null,
      signal: null,
      source: 'unknown',
      reason,
    });
  },
);

const good = {
  schema: 1,
  id: 'x',
  started: true,
  exitedAt: null,
  observedAt: at,
  rawStatus: 0x700,
  code: 7,
  signal: null,
  core: false,
  oom: null,
  source: 'pin',
};

test.each([
  ['a schema that is none', { schema: 1.5 }],
  ['a code that is not that of the raw status', { code: 0 }],
  ['code and signal at once', { signal: 9 }],
  ['no status, yet a source', { rawStatus: null, code: null }],
  ['an unknown end with a code', { source: 'unknown', reason: 'reboot' }],
  ['an unknown end without a reason', { source: 'unknown', rawStatus: null, code: null }],
  ['a time that is none', { observedAt: 'yesterday' }],
])('exitRecordSchema refuses %s', (_, change) => {
  expect(read(JSON.stringify(good))).toMatchObject({ kind: 'exited', code: 7 });
  expect(() => read(JSON.stringify({ ...good, ...change }))).toThrow(BadRecordError);
});

test('parseRecord refuses every truncation of a record', () => {
  const text = JSON.stringify(good);
  for (let length = 0; length < text.length; length++) {
    expect(() => read(text.slice(0, length))).toThrow(BadRecordError);
  }
});
