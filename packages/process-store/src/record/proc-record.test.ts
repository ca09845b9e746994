import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { BadRecordError } from '../errors.ts';
import { parseRecord } from './parse-record.ts';
import { formatProcRecord, type ProcRecord, procRecordSchema } from './proc-record.ts';

const record: ProcRecord = {
  schema: 1,
  id: 'x',
  pid: 12,
  startTicks: 34n,
  bootId: 'boot',
  pidfsIno: 56n,
  tier: 'A',
  gate: 'held',
  bundle: '/b',
  cgroupPaths: ['/sys/fs/cgroup/x'],
  namespaces: { pid: 'pid:[1]', mnt: 'mnt:[2]' },
  recordedAt: '2026-01-02T03:04:05.678Z',
};

test('formatProcRecord keeps 64-bit numbers exact', () => {
  const uint64 = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
  fc.assert(
    fc.property(uint64, fc.option(uint64), (startTicks, pidfsIno) => {
      const written = { ...record, startTicks, pidfsIno };
      expect(parseRecord(formatProcRecord(written), procRecordSchema, 'x')).toEqual(written);
    }),
  );
});

test.each([
  { pid: 0 },
  { pid: 4_194_305 },
  { startTicks: 34 },
  { startTicks: '-1' },
  { gate: 'open' },
  { bundle: 'relative' },
  { namespaces: { pid: 'pid:[1]' } },
])('procRecordSchema refuses %j', (change) => {
  const plain = JSON.parse(formatProcRecord(record)) as object;
  const text = JSON.stringify({ ...plain, ...change });
  expect(() => parseRecord(text, procRecordSchema, 'x')).toThrow(BadRecordError);
});
