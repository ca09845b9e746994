import { expect, test } from 'vitest';
import { isStoredTerminal, type StoredStdio, storedStdioSchema } from './stored-stdio.ts';

const nothing = { kind: 'null' } as const;

test.each<{ stdio: StoredStdio; terminal: boolean }>([
  { stdio: { terminal: true }, terminal: true },
  { stdio: { stdin: nothing, stdout: nothing, stderr: nothing }, terminal: false },
  {
    stdio: {
      stdin: { kind: 'fifo', path: '/run/in' },
      stdout: { kind: 'file', path: '/var/log/out', mode: 0o600 },
      stderr: { kind: 'log' },
    },
    terminal: false,
  },
])('storedStdioSchema keeps $stdio through JSON', ({ stdio, terminal }) => {
  const read = storedStdioSchema.parse(JSON.parse(JSON.stringify(stdio)));
  expect(read).toEqual(stdio);
  expect(isStoredTerminal(read)).toBe(terminal);
});

test.each([
  ['a relative path', { stdin: nothing, stdout: { kind: 'file', path: 'log' }, stderr: nothing }],
  ['a NUL byte', { stdin: { kind: 'fifo', path: '/a\0b' }, stdout: nothing, stderr: nothing }],
  ['a log to read', { stdin: { kind: 'log' }, stdout: nothing, stderr: nothing }],
  [
    'special permissions',
    { stdin: nothing, stdout: nothing, stderr: { kind: 'file', path: '/f', mode: 0o4755 } },
  ],
  [
    'a field it does not know',
    { stdin: nothing, stdout: { kind: 'log', path: '/f' }, stderr: nothing },
  ],
  ['a terminal and streams', { terminal: true, stdin: nothing, stdout: nothing, stderr: nothing }],
  ['two streams', { stdin: nothing, stdout: nothing }],
  ['no terminal', { terminal: false }],
])('storedStdioSchema refuses %s', (_what, stdio) => {
  expect(storedStdioSchema.safeParse(stdio).success).toBe(false);
});
