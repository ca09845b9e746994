import { expect, test } from 'vitest';
import { LogOptionError } from '../errors.ts';
import { parseLogOptions, stdioOfLog, storedLogSchema } from './log-options.ts';

const path = '/var/log/box';

test.each([
  ['none', {}, { driver: 'none' }, { kind: 'null' }],
  ['file', { path }, { driver: 'file', path }, { kind: 'file', path }],
  ['cri', { path }, { driver: 'cri', path, maxBytes: 10_485_760, maxFiles: 5 }, { kind: 'log' }],
  [
    'cri',
    { path, 'max-size': '3k', 'max-file': '1' },
    { driver: 'cri', path, maxBytes: 3072, maxFiles: 1 },
    { kind: 'log' },
  ],
  [
    'cri',
    { path, 'max-size': '-1' },
    { driver: 'cri', path, maxBytes: null, maxFiles: 5 },
    { kind: 'log' },
  ],
])('parseLogOptions reads %s with %j', (driver, options, log, stream) => {
  const parsed = parseLogOptions(driver, options);
  expect(parsed).toEqual(log);
  expect(storedLogSchema.parse(JSON.parse(JSON.stringify(parsed)))).toEqual(log);
  expect(stdioOfLog(parsed)).toEqual({ stdout: stream, stderr: stream });
});

test.each([
  ['1', 1],
  ['4096b', 4096],
  ['10M', 10_485_760],
  ['2gb', 2_147_483_648],
])('parseLogOptions reads max-size %s as %d bytes', (size, maxBytes) => {
  expect(parseLogOptions('cri', { 'max-size': size }, path)).toMatchObject({ path, maxBytes });
});

test.each([
  ['driver', 'json-file', {}],
  ['driver', 'toString', {}],
  ['path', 'none', { path }],
  ['path', 'file', {}],
  ['path', 'file', { path: 'relative' }],
  ['path', 'file', { path: '/a/directory/' }],
  ['max-size', 'file', { path, 'max-size': '10m' }],
  ['max-size', 'cri', { path, 'max-size': '0' }],
  ['max-size', 'cri', { path, 'max-size': '10 m' }],
  ['max-size', 'cri', { path, 'max-size': '999999999999999g' }],
  ['max-file', 'cri', { path, 'max-file': '0' }],
  ['max-file', 'cri', { path, 'max-file': '1.5' }],
  ['compress', 'cri', { path, compress: 'true' }],
])('parseLogOptions refuses by %s: %s with %j', (option, driver, options) => {
  const parse = (): unknown => parseLogOptions(driver, options);
  expect(parse).toThrow(LogOptionError);
  expect(parse).toThrow(
    expect.objectContaining({ option, hint: expect.stringMatching(/./) }) as Error,
  );
});
