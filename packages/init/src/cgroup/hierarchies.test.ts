import { describe, expect, it } from 'vitest';
import { isUnified, readHierarchies } from './hierarchies.ts';

const v1Mounts = `23 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
36 31 0:33 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
`;
const v1Cgroups = `6:devices:/user.slice
4:cpuset:/
3:cpuacct,cpu:/user.slice
2:memory:/not/mounted
1:name=systemd:/user.slice/a:b
`;
const v2Mount = '41 31 0:38 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n';

describe('readHierarchies', () => {
  it('readHierarchies finds each v1 hierarchy that is mounted, joint controllers in any order', () => {
    const found = readHierarchies(v1Mounts, v1Cgroups);
    expect(found).toEqual([
      {
        version: 1,
        controllers: 'cpuacct,cpu',
        mountpoint: '/sys/fs/cgroup/cpu,cpuacct',
        root: '/',
        ownPath: '/user.slice',
      },
      {
        version: 1,
        controllers: 'cpuset',
        mountpoint: '/sys/fs/cgroup/cpuset',
        root: '/',
        ownPath: '/',
      },
      {
        version: 1,
        controllers: 'devices',
        mountpoint: '/sys/fs/cgroup/devices',
        root: '/',
        ownPath: '/user.slice',
      },
      {
        version: 1,
        controllers: 'name=systemd',
        mountpoint: '/sys/fs/cgroup/systemd',
        root: '/',
        ownPath: '/user.slice/a:b',
      },
    ]);
    expect(isUnified(found)).toBe(false);
  });

  it('readHierarchies finds the one of v2', () => {
    const found = readHierarchies(v2Mount, '0::/init.scope\n');
    expect(found).toEqual([
      {
        version: 2,
        controllers: '',
        mountpoint: '/sys/fs/cgroup',
        root: '/',
        ownPath: '/init.scope',
      },
    ]);
    expect(isUnified(found)).toBe(true);
  });

  it('readHierarchies finds both kinds on a hybrid host', () => {
    const unified = v2Mount.replace('/sys/fs/cgroup ', '/sys/fs/cgroup/unified ');
    const found = readHierarchies(v1Mounts + unified, `${v1Cgroups}0::/user.slice\n`);
    expect(found.map(({ version }) => version)).toEqual([1, 1, 1, 1, 2]);
    expect(isUnified(found)).toBe(false);
  });

  it('readHierarchies takes the first of two mounts of one hierarchy', () => {
    const second = v2Mount.replace('/sys/fs/cgroup ', '/mnt/again ');
    expect(readHierarchies(v2Mount + second, '0::/\n').map(({ mountpoint }) => mountpoint)).toEqual(
      ['/sys/fs/cgroup'],
    );
  });

  it('readHierarchies reads escaped mount points and the part of the hierarchy that is mounted', () => {
    const mount = '41 31 0:38 /a\\040b /mnt/c\\134d rw - cgroup2 cgroup2 rw\n';
    expect(readHierarchies(mount, '0::/a b/c\n')).toEqual([
      { version: 2, controllers: '', mountpoint: '/mnt/c\\d', root: '/a b', ownPath: '/a b/c' },
    ]);
  });

  it('readHierarchies finds nothing where nothing is mounted', () => {
    expect(readHierarchies('', '0::/\n')).toEqual([]);
    expect(isUnified([])).toBeUndefined();
  });
});
