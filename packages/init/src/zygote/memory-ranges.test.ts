import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { memoryRanges } from './memory-ranges.ts';

const line = (from: string, to: string, name = ''): string =>
  `${from}-${to} rw-p 00000000 00:00 0 ${name === '' ? '' : `                 ${name}`}`;
const range = (from: bigint, to: bigint): unknown => ({ start: from, length: to - from });

describe('memoryRanges', () => {
  it('memoryRanges ends before the mappings of the kernel and goes on behind them', () => {
    const maps = [
      line('55d0c0000000', '55d0c0001000', '/usr/bin/node'),
      line('7f0000000000', '7f0000010000'),
      line('7f0000020000', '7f0000024000', '[vvar]'),
      line('7f0000024000', '7f0000026000', '[vvar_vclock]'),
      line('7f0000026000', '7f0000028000', '[vdso]'),
      line('7f0000030000', '7f0000031000', '/lib/ld.so'),
      line('7ffe00000000', '7ffe00021000', '[stack]'),
      line('ffffffffff600000', 'ffffffffff601000', '[vsyscall]'),
      '',
    ].join('\n');
    expect(memoryRanges(maps)).toEqual([
      range(0x1_0000n, 0x7f00_0001_0000n),
      range(0x7f00_0003_0000n, 0x7ffe_0002_1000n),
    ]);
  });

  it.each(['anon_inode:[io_uring]', '/dev/dri/card0', '/anon_inode:[perf_event]', '[sigpage]'])(
    'memoryRanges leaves %s out',
    (name) => {
      const maps = [
        line('10000000', '10001000'),
        line('20000000', '20001000', name),
        line('30000000', '30001000'),
      ].join('\n');
      expect(memoryRanges(maps)).toEqual([
        range(0x1_0000n, 0x1000_1000n),
        range(0x3000_0000n, 0x3000_1000n),
      ]);
    },
  );

  it.each(['/dev/shm/segment', '/dev/zero', '/srv/[vvar] of a friend', '[heap]'])(
    'memoryRanges keeps %s',
    (name) => {
      expect(memoryRanges(line('10000000', '10001000', name))).toHaveLength(1);
    },
  );

  it('memoryRanges does not reach below a special mapping that comes first', () => {
    const maps = [line('20000', '21000', '[vvar]'), line('30000', '31000')].join('\n');
    expect(memoryRanges(maps)).toEqual([range(0x3_0000n, 0x3_1000n)]);
  });

  it('memoryRanges reads addresses of five-level page tables exactly', () => {
    expect(memoryRanges(line('ff110000000000', 'ffffffffffe000'))).toEqual([
      range(0x1_0000n, 0xff_ffff_ffff_e000n),
    ]);
  });

  it('memoryRanges starts on a page of 64 KiB, as some kernels for arm64 have them', () => {
    const [first] = memoryRanges(line('400000', '410000'));
    expect(first!.start % 0x1_0000n).toBe(0n);
    expect(first!.start).toBeGreaterThan(0n);
  });

  it('memoryRanges covers every ordinary mapping of this process', () => {
    const maps = readFileSync('/proc/self/maps', 'latin1');
    const ranges = memoryRanges(maps);
    for (const text of maps.split('\n')) {
      const match = /^([0-9a-f]+)-([0-9a-f]+) .* 0 *(\[heap\]|\[stack\])?$/.exec(text);
      if (match === null) continue;
      const [from, to] = [BigInt(`0x${match[1]}`), BigInt(`0x${match[2]}`)];
      expect(ranges.some(({ start, length }) => start <= from && to <= start + length)).toBe(true);
    }
  });

  it('memoryRanges of nothing is nothing', () => {
    expect(memoryRanges('')).toEqual([]);
  });
});
