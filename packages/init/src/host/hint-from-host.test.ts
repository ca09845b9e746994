import { describe, expect, it } from 'vitest';
import { hintFromHost } from './hint-from-host.ts';
import type { HostFailure } from './host-failure.ts';
import { type Host, thisHost } from './host.ts';

type FakeHost = Partial<Omit<Host, 'read' | 'hasProgram'>> & {
  files?: Record<string, string>;
  programs?: readonly string[];
};

/** A machine on which nothing stands in the way, but for what is given. */
function fakeHost({ files = {}, programs = [], ...rest }: FakeHost): Host {
  const all: Record<string, string> = {
    '/proc/self/status': status({}),
    '/proc/self/uid_map': '         0          0 4294967295\n',
    ...files,
  };
  return {
    uid: 1000,
    userName: 'ann',
    kernelRelease: '6.8.0-45-generic',
    read: (path) => all[path],
    hasProgram: (name) => programs.includes(name),
    ...rest,
  };
}

const status = ({ effective = '000001ffffffffff', seccomp = '0' }): string =>
  `Name:\tnode\nCapEff:\t${effective}\nSeccomp:\t${seccomp}\nSeccomp_filters:\t1\n`;
const filtered = { '/proc/self/status': status({ seccomp: '2' }) };
const powerless = { '/proc/self/status': status({ effective: '0000000000000000' }) };
const userNamespace = { step: 'fork', syscall: 'clone3', newUserNamespace: true };
const procMount = { step: 'mounts', syscall: 'fsmount', errnoCode: 'EPERM', path: 'proc' };
const mapping = { step: 'user namespace', message: 'newuidmap 42 0 1000 1: exited with 1' };
const maskedMountinfo = [
  '24 1 0:22 / /proc rw - proc proc rw',
  '25 24 0:33 / /proc/sys/fs/binfmt_misc rw - binfmt_misc binfmt_misc rw',
  '26 24 0:44 /null /proc/kcore rw - tmpfs tmpfs rw',
].join('\n');
const hybrid = {
  '/proc/self/mountinfo': [
    '30 1 0:25 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
    '31 1 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
  ].join('\n'),
  '/proc/self/cgroup': '1:memory:/\n0::/\n',
};

type Row = [name: string, failure: Partial<HostFailure>, host: FakeHost, hint: RegExp];

describe('hintFromHost', () => {
  it.each<Row>([
    [
      'an old kernel',
      { syscall: 'mount_setattr', errnoCode: 'ENOSYS' },
      { kernelRelease: '5.10.0-28-amd64' },
      /mount_setattr needs Linux 5\.12; this is 5\.10\.0-28-amd64/,
    ],
    [
      'a call that a filter hides',
      { syscall: 'clone3', errnoCode: 'ENOSYS' },
      { files: filtered },
      /allow clone3 in the seccomp profile/,
    ],
    ['something that is no Linux', { syscall: 'fsopen', errnoCode: 'ENOSYS' }, {}, /gVisor/],
    [
      'user namespaces for root alone',
      { ...userNamespace, errnoCode: 'EPERM' },
      { files: { '/proc/sys/kernel/unprivileged_userns_clone': '0\n' } },
      /unprivileged_userns_clone is 0/,
    ],
    [
      'user namespaces without rights',
      { ...procMount, newUserNamespace: true, errnoCode: 'EACCES' },
      { files: { '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1\n' } },
      /apparmor_restrict_unprivileged_userns is 1/,
    ],
    [
      'no user namespaces at all',
      { ...userNamespace, errnoCode: 'ENOSPC' },
      { files: { '/proc/sys/user/max_user_namespaces': '0\n' } },
      /user\.max_user_namespaces is 0/,
    ],
    [
      'too many namespaces',
      { syscall: 'clone3', errnoCode: 'ENOSPC' },
      { files: { '/proc/sys/user/max_user_namespaces': '100\n' } },
      /a limit of namespaces/i,
    ],
    [
      'a /proc that is covered in part, for a new user namespace',
      { ...procMount, newUserNamespace: true },
      { files: { '/proc/self/mountinfo': maskedMountinfo } },
      /\(\/proc\/kcore\)/,
    ],
    [
      'a /proc that is covered in part, inside a user namespace',
      procMount,
      {
        uid: 0,
        files: {
          '/proc/self/mountinfo': maskedMountinfo,
          '/proc/self/uid_map': '0 100000 65536\n',
        },
      },
      /bind \/proc instead/,
    ],
    ['no newuidmap', mapping, { programs: [] }, /newuidmap is not installed/],
    [
      'no newgidmap',
      mapping,
      { programs: ['newuidmap'], files: { '/etc/subuid': 'ann:1:2' } },
      /newgidmap is not installed/,
    ],
    [
      'no sub-ids',
      mapping,
      { programs: ['newuidmap', 'newgidmap'], files: { '/etc/subuid': 'bob:100000:65536\n' } },
      /\/etc\/subuid has no ids for the user ann/,
    ],
    [
      'no sub-ids of groups, where the uid names the user',
      { ...mapping, path: '/proc/42/gid_map' },
      { programs: ['newuidmap', 'newgidmap'], files: { '/etc/subuid': '1000:100000:65536\n' } },
      /\/etc\/subgid has no ids for the user ann/,
    ],
    [
      'cgroups that are read-only',
      { step: 'cgroup', syscall: 'mkdir', errnoCode: 'EROFS', path: '/sys/fs/cgroup/x' },
      {
        files: { '/proc/self/mountinfo': '30 1 0:25 / /sys/fs/cgroup ro - cgroup2 cgroup rw' },
      },
      /read-only at \/sys\/fs\/cgroup/,
    ],
    [
      'hybrid cgroups',
      { step: 'cgroup', syscall: 'write', errnoCode: 'ENOENT' },
      { files: hybrid },
      /hybrid cgroups: memory are in/,
    ],
    [
      'too many mounts',
      { step: 'mounts', syscall: 'move_mount', errnoCode: 'ENOSPC' },
      { files: { '/proc/sys/fs/mount-max': '100000\n', '/proc/self/mountinfo': 'a\nb\n' } },
      /100000 mounts \(fs\.mount-max\), and starts with the 2/,
    ],
    [
      'more open files than the kernel allows',
      { syscall: 'prlimit', errnoCode: 'EPERM', message: 'set RLIMIT_NOFILE: prlimit: EPERM' },
      { files: { '/proc/sys/fs/nr_open': '1048576\n' } },
      /more than 1048576 open files/,
    ],
    [
      'a process that is out of descriptors',
      { syscall: 'socketpair', errnoCode: 'EMFILE' },
      { files: { '/proc/self/limits': 'Max open files            1024      4096      files\n' } },
      /may have 1024 open files/,
    ],
    [
      'a host that is out of descriptors',
      { syscall: 'pipe2', errnoCode: 'ENFILE' },
      { files: { '/proc/sys/fs/file-max': '9223\n' } },
      /All 9223 open files/,
    ],
    [
      'no more processes',
      { syscall: 'clone3', errnoCode: 'EAGAIN' },
      { files: { '/proc/self/limits': 'Max processes   63000  63000  processes\n' } },
      /of this user \(63000/,
    ],
    [
      'a user without CAP_SYS_ADMIN',
      { step: 'fork', syscall: 'clone3', errnoCode: 'EPERM' },
      { files: powerless },
      /This user has no CAP_SYS_ADMIN .* launch as root, or add a user namespace .* as rootlessSpec\(\)/,
    ],
    [
      'root without CAP_SYS_ADMIN',
      { step: 'fork', syscall: 'clone3', errnoCode: 'EPERM' },
      { uid: 0, files: powerless },
      /This root has no CAP_SYS_ADMIN, as in a container/,
    ],
    [
      'a call that a filter denies',
      { syscall: 'keyctl', errnoCode: 'EPERM' },
      { files: filtered },
      /may deny keyctl/,
    ],
  ])('hintFromHost names %s', (_, failure, host, hint) => {
    expect(hintFromHost({ step: 'x', message: '', ...failure }, fakeHost(host))).toMatch(hint);
  });

  it.each<[name: string, failure: Partial<HostFailure>, host: FakeHost]>([
    ['a failure without a call', {}, {}],
    ['a path that is missing', { step: 'mounts', syscall: 'open_tree', errnoCode: 'ENOENT' }, {}],
    [
      'a call that the specification denies',
      { syscall: 'capset', errnoCode: 'EPERM' },
      { files: powerless },
    ],
    [
      'binfmt_misc on /proc',
      { ...procMount, newUserNamespace: true },
      { files: { '/proc/self/mountinfo': maskedMountinfo.split('\n').slice(0, 2).join('\n') } },
    ],
    [
      'a covered /proc without a user namespace',
      procMount,
      { uid: 0, files: { '/proc/self/mountinfo': maskedMountinfo } },
    ],
    [
      'a sysctl that restricts others than root',
      { ...userNamespace, errnoCode: 'EPERM' },
      { uid: 0, files: { '/proc/sys/kernel/unprivileged_userns_clone': '0' } },
    ],
    [
      'a limit of another resource',
      { syscall: 'prlimit', errnoCode: 'EPERM', message: 'set RLIMIT_CORE' },
      { files: { '/proc/sys/fs/nr_open': '1' } },
    ],
    [
      'a host that tells nothing',
      { ...userNamespace, errnoCode: 'EPERM' },
      { files: { '/proc/self/status': '' } },
    ],
    [
      'a file that is missing elsewhere than in a cgroup',
      { step: 'cgroup', errnoCode: 'ENOENT', path: '/run/dbus/system_bus_socket' },
      { files: hybrid },
    ],
  ])('hintFromHost blames the host for nothing at %s', (_, failure, host) => {
    expect(hintFromHost({ step: 'x', message: '', ...failure }, fakeHost(host))).toBeUndefined();
  });

  it('hintFromHost reads this host without a failure of its own', () => {
    const failures = ['clone3', 'fsmount', 'prlimit', 'mkdir'].flatMap((syscall) =>
      ['EPERM', 'ENOSYS', 'ENOSPC', 'EROFS', 'ENOENT', 'EAGAIN', 'EMFILE', 'ENFILE'].map(
        (errnoCode) => ({
          step: 'cgroup',
          message: 'newuidmap proc RLIMIT_NOFILE',
          syscall,
          errnoCode,
        }),
      ),
    );
    const hints = failures.map((failure) => hintFromHost(failure, thisHost));
    expect(hints.every((hint) => hint === undefined || hint.endsWith('.'))).toBe(true);
    expect(hintFromHost({ ...failures[0]!, errnoCode: 'EMFILE' }, thisHost)).toContain('ulimit -n');
  });
});
