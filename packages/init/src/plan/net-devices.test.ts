import { describe, expect, it } from 'vitest';
import { validateSpec } from '../config/load-bundle.ts';
import type { OciSpec } from '../config/oci-spec.ts';
import type { OciNetDevice } from '../config/spec/attributes.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { createRecordingSyscall } from '../syscall/recording.ts';
import { setUpNetDevices } from '../child/net-devices.ts';
import { planNetDevices } from './net-devices.ts';

function specWith(netDevices: Record<string, OciNetDevice>): OciSpec {
  const spec = stockSpec();
  spec.linux!.netDevices = netDevices;
  return spec;
}

describe('planNetDevices', () => {
  it('planNetDevices keeps a name unless another is given', () => {
    expect(
      planNetDevices(specWith({ eth0: {}, eth1: { name: '' }, eth2: { name: 'x%d' } })),
    ).toEqual({
      namespacePath: undefined,
      moves: [
        { hostName: 'eth0', name: 'eth0' },
        { hostName: 'eth1', name: 'eth1' },
        { hostName: 'eth2', name: 'x%d' },
      ],
    });
    expect(planNetDevices(stockSpec())).toBeUndefined();
  });

  it('planNetDevices names the namespace that is joined', () => {
    const spec = specWith({ eth0: {} });
    spec.linux!.namespaces = [{ type: 'network', path: '/run/netns/x' }];
    expect(planNetDevices(spec)?.namespacePath).toBe('/run/netns/x');
  });

  it('planNetDevices refuses to leave interfaces where they are', () => {
    const spec = specWith({ eth0: {} });
    spec.linux!.namespaces = [{ type: 'pid' }];
    expect(() => planNetDevices(spec)).toThrow(/no network namespace/);
  });

  it.each<Record<string, OciNetDevice>>([
    { lo: {} },
    { eth0: { name: 'lo' } },
    { eth0: { name: 'a' }, eth1: { name: 'a' } },
    { eth0: {}, eth1: { name: 'eth0' } },
  ])('planNetDevices refuses %o', (devices) => {
    expect(() => planNetDevices(specWith(devices))).toThrow(/linux\.netDevices\./);
  });

  it.each<Record<string, OciNetDevice>>([
    { '': {} },
    { 'a/b': {} },
    { 'a b': {} },
    { 'a:1': {} },
    { '..': {} },
    { '0123456789abcdef': {} },
    { 'eth%d': {} },
    { eth0: { name: 'a%s' } },
    { eth0: { name: '%d%d' } },
    { eth0: { name: '0123456789abcdef' } },
    { eth0: { name: 'a\0' } },
  ])('validateSpec refuses %o', (devices) => {
    expect(() => validateSpec(specWith(devices))).toThrow(/linux\.netDevices/);
  });
});

describe('setUpNetDevices', () => {
  it('setUpNetDevices renames by template, gives addresses and then sets up', () => {
    const sys = createRecordingSyscall();
    const address = {
      family: 2,
      prefixLength: 8,
      local: '0a000001',
      address: '0a000001',
      broadcast: undefined,
      flags: 0,
    };
    setUpNetDevices(sys, [
      { hostName: 'eth0', name: 'pl1', template: 'eth%d', addresses: [address, address] },
    ]);
    const requests = sys.calls.filter(({ name }) => name === 'routeRequest');
    const types = requests.map(({ args }) => Buffer.from(args[0] as Uint8Array).readUInt16LE(4));
    expect(types).toEqual([16, 20, 20, 16]);
    expect(sys.calls[0]).toEqual({ name: 'interfaceIndex', args: ['pl1'] });
  });

  it('setUpNetDevices makes no call where there are none', () => {
    const sys = createRecordingSyscall();
    setUpNetDevices(sys, []);
    expect(sys.calls).toEqual([]);
  });
});
