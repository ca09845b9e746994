import { describe, expect, it } from 'vitest';
import { planDeviceRules } from '../device-rules.ts';
import { busSocket } from './bus-address.ts';
import { expandSlice, mask, planScope } from './plan-scope.ts';

const root = { user: false, unified: true };

describe('planScope', () => {
  it.each([
    [
      'system.slice:pilotlight:demo',
      'pilotlight-demo.scope',
      '/system.slice/pilotlight-demo.scope',
    ],
    [':pilotlight:demo', 'pilotlight-demo.scope', '/system.slice/pilotlight-demo.scope'],
    ['a-b.slice::demo', 'demo.scope', '/a.slice/a-b.slice/demo.scope'],
    ['-.slice:x:demo', 'x-demo.scope', '/x-demo.scope'],
    [undefined, 'pilotlight-id.scope', '/system.slice/pilotlight-id.scope'],
  ])('planScope takes %s', (cgroupsPath, unit, path) => {
    expect(planScope(cgroupsPath, 'id', root, {}, undefined)).toMatchObject({
      bus: 'system',
      unit,
      path,
    });
  });

  it('planScope asks the user for a slice of the user', () => {
    expect(planScope('', 'id', { user: true, unified: true }, {}, undefined)).toMatchObject({
      bus: 'user',
      slice: 'user.slice',
    });
  });

  it.each([
    'demo',
    '/demo',
    'a:b',
    'a:b:c:d',
    'system.slice:x:',
    'system:x:y',
    'a--b.slice:x:y',
    '-a.slice:x:y',
    '../a.slice:x:y',
    'system.slice:x:../y',
    `:x:${'y'.repeat(260)}`,
  ])('planScope refuses %s', (cgroupsPath) => {
    expect(() => planScope(cgroupsPath, 'id', root, {}, undefined)).toThrow(
      /^linux\.cgroupsPath: /,
    );
  });

  it('planScope tells systemd of the limits', () => {
    const properties = (unified: boolean): Record<string, unknown> =>
      Object.fromEntries(
        planScope(
          undefined,
          'id',
          { user: false, unified },
          {
            memory: { limit: 1000, swap: 1500, reservation: -1 },
            cpu: { shares: 1024, quota: 12_345, period: 100_000, cpus: '0,9', mems: '0' },
            pids: { limit: -1 },
            blockIO: { weight: 10 },
          },
          undefined,
        ).properties.map(({ name, value }) => [name, value.value]),
      );
    const infinity = 2n ** 64n - 1n;
    expect(properties(true)).toMatchObject({
      DefaultDependencies: false,
      Delegate: true,
      Slice: 'system.slice',
      MemoryMax: 1000n,
      MemorySwapMax: 500n,
      MemoryLow: infinity,
      CPUWeight: 100n,
      // Of a second, rounded up to a hundredth.
      CPUQuotaPerSecUSec: 130_000n,
      CPUQuotaPeriodUSec: 100_000n,
      AllowedCPUs: Uint8Array.of(1, 2),
      TasksMax: infinity,
      IOWeight: 1n,
    });
    expect(properties(false)).toMatchObject({
      MemoryLimit: 1000n,
      CPUShares: 1024n,
      BlockIOWeight: 10n,
    });
    expect(properties(false)).not.toHaveProperty('AllowedCPUs');
  });

  it('planScope allows systemd every device that some rule allows', () => {
    const rules = planDeviceRules([
      { allow: false, access: 'rwm' },
      { allow: true, type: 'b', major: 8, access: 'r' },
      { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
    ]);
    const { properties } = planScope(undefined, 'id', root, {}, rules);
    const value = (name: string): unknown =>
      properties.find((one) => one.name === name)?.value.value;
    expect(value('DevicePolicy')).toBe('strict');
    expect(value('DeviceAllow')).toEqual(
      expect.arrayContaining([
        ['block-8', 'r'],
        ['/dev/char/10:229', 'rw'],
        ['char-*', 'm'],
        ['/dev/char/1:3', 'rwm'],
      ]),
    );
  });
});

describe('expandSlice', () => {
  it('expandSlice makes a level of each dash', () => {
    expect(expandSlice('a-b-c.slice')).toBe('/a.slice/a-b.slice/a-b-c.slice');
    expect(expandSlice('-.slice')).toBe('/');
  });
});

describe('mask', () => {
  it('mask sets the bit of each number', () => {
    expect(mask('1-3,16')).toEqual({ signature: 'ay', value: Uint8Array.of(14, 0, 1) });
    expect(() => mask('0-4294967295')).toThrow(/beyond/);
  });
});

describe('busSocket', () => {
  it('busSocket reads addresses as sd-bus does', () => {
    expect(busSocket('system', {})).toBe('/run/dbus/system_bus_socket');
    expect(
      busSocket('system', { DBUS_SYSTEM_BUS_ADDRESS: 'tcp:host=a;unix:path=/a%20b,guid=1' }),
    ).toBe('/a b');
    expect(busSocket('user', { DBUS_SESSION_BUS_ADDRESS: 'unix:abstract=/tmp/x' })).toBe(
      '\0/tmp/x',
    );
    expect(busSocket('user', { XDG_RUNTIME_DIR: '/run/user/7' })).toBe('/run/user/7/bus');
    expect(busSocket('user', {})).toBeUndefined();
  });
});
