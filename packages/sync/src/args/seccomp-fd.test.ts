import { expect, test } from 'vitest';
import { InvalidArgError, MalformedArgError } from '../errors.ts';
import { decodeSeccompFd, encodeSeccompFd } from './seccomp-fd.ts';

test.each([0, 6, 0x7fff_ffff])('encodeSeccompFd writes %d', (fd) => {
  expect(encodeSeccompFd(fd)).toBe(`${fd}`);
  expect(decodeSeccompFd(encodeSeccompFd(fd))).toBe(fd);
});

test('encodeSeccompFd writes minus zero as zero', () => {
  expect(encodeSeccompFd(-0)).toBe('0');
});

test.each([-1, 1.5, Number.NaN, 2 ** 31])('encodeSeccompFd refuses %d', (fd) => {
  expect(() => encodeSeccompFd(fd)).toThrow(InvalidArgError);
});

test.each(['-1', '1.5', '2147483648', '18446744073709551615', '"6"', 'null', '{}', ''])(
  'decodeSeccompFd refuses %s',
  (raw) => {
    expect(() => decodeSeccompFd(raw)).toThrow(MalformedArgError);
  },
);

test('decodeSeccompFd says what it expected', () => {
  expect(() => decodeSeccompFd('-1')).toThrow(
    'decode the argument of procSeccomp: expected at least 0, received -1',
  );
  expect(() => decodeSeccompFd('"6"')).toThrow('received the string "6"');
});

test('decodeSeccompFd reads minus zero as zero', () => {
  expect(Object.is(decodeSeccompFd('-0'), 0)).toBe(true);
});
