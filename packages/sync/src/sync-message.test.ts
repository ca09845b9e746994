import { expect, test } from 'vitest';
import { syncMessageSchema } from './sync-message.ts';

test.each([
  { type: 'procRun', flags: 0 },
  { type: 'procError', flags: 0, arg: '{"message":"x"}' },
  { type: 'procMountFd', flags: 0x7fff_ffff, arg: '{"type":"open_tree"}' },
])('syncMessageSchema accepts %j', (message) => {
  expect(syncMessageSchema.parse(message)).toEqual(message);
});

test.each([
  { type: 'procResume', flags: 0 },
  { type: 'procRun' },
  { type: 'procRun', flags: -1 },
  { type: 'procRun', flags: 0x8000_0000 },
  { type: 'procRun', flags: 0.5 },
  { type: 'procError', flags: 0, arg: { message: 'x' } },
  { type: 'procError', flags: 0, arg: undefined },
  { type: 'procRun', flags: 0, fd: -1 },
])('syncMessageSchema refuses %j', (message) => {
  expect(syncMessageSchema.safeParse(message).success).toBe(false);
});
