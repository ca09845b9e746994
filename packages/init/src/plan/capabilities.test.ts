import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InvalidConfigError } from '../errors.ts';
import { capabilityNames, planCapabilities } from './capabilities.ts';

describe('capabilityNames', () => {
  it.each([
    ['CAP_CHOWN', 0],
    ['CAP_KILL', 5],
    ['CAP_SETPCAP', 8],
    ['CAP_NET_BIND_SERVICE', 10],
    ['CAP_SYS_ADMIN', 21],
    ['CAP_MKNOD', 27],
    ['CAP_AUDIT_WRITE', 29],
    ['CAP_CHECKPOINT_RESTORE', 40],
  ])('capabilityNames has %s at %i, as linux/capability.h', (name, number) => {
    expect(capabilityNames[number]).toBe(name);
  });

  const lastCapFile = '/proc/sys/kernel/cap_last_cap';
  it.skipIf(!existsSync(lastCapFile))(
    'capabilityNames has a name for every capability of this kernel',
    () => {
      const last = Number(readFileSync(lastCapFile, 'utf8'));
      expect(capabilityNames.length).toBeGreaterThan(last);
    },
  );
});

describe('planCapabilities', () => {
  it('planCapabilities gives numbers in ascending order, each once', () => {
    const planned = planCapabilities({
      bounding: ['CAP_KILL', 'CAP_CHOWN', 'CAP_KILL'],
      ambient: null,
    });
    expect(planned).toEqual({
      bounding: [0, 5],
      effective: [],
      inheritable: [],
      permitted: [],
      ambient: [],
    });
  });

  it.each(['KILL', 'cap_kill', 'CAP_NOTHING', ''])('planCapabilities refuses %j', (name) => {
    const attempt = (): unknown => planCapabilities({ permitted: ['CAP_KILL', name] });
    expect(attempt).toThrow(InvalidConfigError);
    expect(attempt).toThrow(/process\.capabilities\.permitted\[1\]/);
  });
});
