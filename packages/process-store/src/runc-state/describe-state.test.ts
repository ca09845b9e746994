import { expect, test } from 'vitest';
import { describeCgroupPaths } from './describe-state.ts';

test('describeCgroupPaths names each path by its controllers, sorted, and version 2 by nothing', () => {
  const hierarchies = [
    { controllers: 'cpu,cpuacct', mountpoint: '/sys/fs/cgroup/cpu,cpuacct' },
    { controllers: 'name=systemd', mountpoint: '/sys/fs/cgroup/systemd' },
    { controllers: 'cpuset', mountpoint: '/sys/fs/cgroup/cpu' },
    { controllers: '', mountpoint: '/sys/fs/cgroup' },
  ];
  const paths = describeCgroupPaths(
    [
      '/sys/fs/cgroup/systemd/a',
      '/sys/fs/cgroup/cpu,cpuacct/a',
      '/sys/fs/cgroup/cpu/a',
      '/sys/fs/cgroup/unified/a',
      '/elsewhere/a',
    ],
    hierarchies,
  );
  expect(Object.entries(paths)).toEqual([
    ['', '/sys/fs/cgroup/unified/a'],
    ['cpu', '/sys/fs/cgroup/cpu,cpuacct/a'],
    ['cpuacct', '/sys/fs/cgroup/cpu,cpuacct/a'],
    ['cpuset', '/sys/fs/cgroup/cpu/a'],
    ['name=systemd', '/sys/fs/cgroup/systemd/a'],
  ]);
});
