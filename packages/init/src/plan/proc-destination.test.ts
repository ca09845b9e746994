import { describe, expect, it } from 'vitest';
import { procDestination } from './proc-destination.ts';

describe('procDestination', () => {
  it.each([
    ['/', 'outside'],
    ['/process', 'outside'],
    ['/data/proc', 'outside'],
    ['/proc', 'proc'],
    ['/proc/uptime', 'replaceable'],
    ['/proc/net/dev', 'replaceable'],
    ['/proc/self/attr', 'inside'],
    ['/proc/uptime/x', 'inside'],
    ['/proc/sys', 'inside'],
  ])('procDestination says where %s is: %s', (path, expected) => {
    expect(procDestination(path)).toBe(expected);
  });
});
