import { expect, test } from 'vitest';
import { summarizeSpec } from './spec-record.ts';

test('summarizeSpec shows the parts of a listing and fills in what is left out', () => {
  const spec = {
    process: { args: ['sh', '-c', 'x'], cwd: '/w', terminal: true, env: ['A=b'] },
    root: { path: 'rootfs' },
    hostname: 'h',
    annotations: { k: 'v' },
  };
  expect(summarizeSpec(spec)).toEqual({
    args: ['sh', '-c', 'x'],
    cwd: '/w',
    terminal: true,
    rootPath: 'rootfs',
    hostname: 'h',
    annotations: { k: 'v' },
  });
  expect(summarizeSpec({})).toEqual({
    args: [],
    cwd: '/',
    terminal: false,
    rootPath: undefined,
    hostname: undefined,
    annotations: {},
  });
});

test('summarizeSpec says when it is no specification', () => {
  expect(summarizeSpec({ process: { args: 'sh' } })).toBeUndefined();
});
