import { encodeMountPlease } from '@pilotlight/sync';
import { describe, expect, it } from 'vitest';
import { stockSpec } from '../config/stock-spec.ts';
import { LaunchError } from '../errors.ts';
import { type LaunchPlan, planLaunch } from '../plan/plan-launch.ts';
import { answerMountPlease } from './answer-mount-please.ts';
import type { Zygote } from './zygote.ts';

const zygote: Zygote = {
  fork: () => Promise.reject(new Error('nothing is to be forked')),
  close: () => Promise.resolve(),
};

function planWith(source: string): LaunchPlan {
  const spec = stockSpec();
  spec.mounts!.push({ destination: '/data', source, options: ['bind'] });
  spec.linux!.devices = [{ path: '/dev/loop0', type: 'b', major: 7, minor: 0 }];
  const v2 = { controllers: '', mountpoint: '/sys/fs/cgroup', root: '/', ownPath: '/' };
  return planLaunch({ id: 'x', spec, bundle: '/bundle', hierarchies: [{ version: 2, ...v2 }] });
}

const ask = (source: string, destination: string): string =>
  encodeMountPlease({
    source,
    destination,
    device: 'bind',
    flags: 0x1000,
    cleared_flags: 0,
    propagation_flags: [],
    data: '',
    relabel: '',
    extensions: 0,
  });

const failureOf = (arg: string, plan = planWith('/bundle/data')): Promise<unknown> =>
  answerMountPlease(arg, plan, zygote).then(
    ({ tree }) => tree.close(),
    (error: unknown) => error,
  );

describe('answerMountPlease', () => {
  it.each([
    ['a file that no mount names', '/etc/shadow', '/data'],
    ['the source of a mount for another place', '/bundle/data', '/etc'],
    ['the same file by another path', '/bundle/../bundle/data', '/data'],
    ['the root of the host', '/', '/'],
    ['a part of the root', '/bundle/rootfs/etc', '/'],
    ['a file system that the child mounts itself', 'tmpfs', '/dev'],
    ['a device in another place', '/dev/loop0', '/dev/null'],
    ['a device that the plan does not have', '/dev/vda', '/dev/vda'],
  ])('answerMountPlease opens nothing but what the plan names: %s', async (_, source, place) => {
    const failure = await failureOf(ask(source, place));
    expect(failure).toBeInstanceOf(LaunchError);
    expect(failure).toMatchObject({
      step: 'mounts',
      path: source,
      message: `the child asked for ${source}, which no mount of its configuration names`,
    });
  });

  it('answerMountPlease says which mount it could not open, and forks nothing', async () => {
    const failure = await failureOf(ask('/bundle/nosuch', '/data'), planWith('/bundle/nosuch'));
    expect(failure).toMatchObject({
      step: 'mounts',
      syscall: 'open_tree',
      path: '/bundle/nosuch',
      index: 7,
      message: expect.stringContaining('open /bundle/nosuch (mounts[7])'),
    });
  });
});
