// The same bundle under runc and under ours: what is inside must look the same.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { type Change, missing, runIn } from './init-bundle.ts';
import { runUnderRunc } from './run-under.ts';

const lacking = missing('root', 'busybox-static', 'runc');

/** Everything that a program can easily see of what was set up for it, in sections. */
const inventory = `
section() { echo "=== $1"; }
section ids; grep -E '^(Uid|Gid|Groups|Umask|Cap[A-Z][a-z]+|NoNewPrivs|Seccomp):' /proc/self/status
section signals; grep -E '^Sig(Blk|Ign):' /proc/self/status
section limits; cat /proc/self/limits
section oom; cat /proc/self/oom_score_adj
section environment; env | sort
section names; hostname; cat /proc/sys/kernel/domainname; pwd; readlink /proc/self/cwd
section cgroup; cut -d: -f2- /proc/self/cgroup | sort
section processes; ps -o pid,ppid,sid,pgid,args | head -2
section network; ip -o addr; ip route
section devices; cd /dev; for f in $(ls -A | sort); do stat -c '%n %F %a %u:%g %t:%T' $f; done
section links; for f in fd stdin stdout stderr ptmx; do readlink $f; done
section keys; head -c1 /proc/keys | wc -c; head -c1 /proc/timer_list | wc -c
section masked; ls -A /proc/acpi /proc/scsi /sys/firmware 2>/dev/null
section cgroups; ls /sys/fs/cgroup 2>/dev/null
section allowed; cat /sys/fs/cgroup/devices/devices.list 2>/dev/null | sort
section mounts; cat /proc/self/mountinfo
`;

type Inventory = Record<string, string[]>;

function parse(output: string): Inventory {
  const sections: Inventory = {};
  for (const part of output.split(/^=== /m).slice(1)) {
    const [name = '', ...lines] = part.trimEnd().split('\n');
    const known = lines.map((line) => line.replace(/init-e2e-\d+-\d+$/, '<id>'));
    sections[name] = name === 'mounts' ? normalizeMounts(lines) : known;
  }
  return sections;
}

/** Without what differs from one mount to the next: ids, device numbers, peer groups; options sorted. */
function normalizeMounts(lines: string[]): string[] {
  return lines
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [, , , root, mountpoint, options = ''] = before.split(' ');
      const [fstype, sourceName = '', superOptions = ''] = after.split(' ');
      // runc calls a named v1 hierarchy by its name, and every other one "cgroup"; it is but a label.
      const source = fstype === 'cgroup' ? 'cgroup' : sourceName;
      const sort = (list: string): string => list.split(',').toSorted().join(',');
      return [mountpoint, root, fstype, source, sort(options), sort(superOptions)].join(' ');
    })
    .toSorted();
}

describe.skipIf(lacking !== '')(`launch beside runc${lacking}`, () => {
  const bundle = useCleanBundle();

  async function compare(change: Change): Promise<{ ours: Inventory; theirs: Inventory }> {
    const [own, runc] = [
      await runIn(bundle, inventory, change),
      await runUnderRunc(bundle, inventory, change),
    ];
    expect([own.stderr, own.status.code, runc.stderr, runc.code]).toEqual(['', 0, '', 0]);
    return { ours: parse(own.stdout), theirs: parse(runc.stdout) };
  }

  /** Where the two are meant to differ, brought into line; a difference that is gone fails as well. */
  function allowForDifferences({ ours, theirs }: { ours: Inventory; theirs: Inventory }): void {
    // runc before 1.2 lets every container use /dev/net/tun; the specification has no such default.
    const tun = 'c 10:200 rwm';
    expect([ours['allowed'], theirs['allowed']].map((rules) => rules?.includes(tun))).toEqual([
      false,
      theirs['allowed']?.length !== ours['allowed']?.length,
    ]);
    theirs['allowed'] = theirs['allowed']!.filter((rule) => rule !== tun);
    // The configuration says "ro"; runc leaves the directory of the v1 hierarchies writable.
    const writable = /^(\/sys\/fs\/cgroup \/ tmpfs .*),rw( .*)$/;
    expect(ours['mounts']!.filter((mount) => writable.test(mount))).toEqual([]);
    theirs['mounts'] = theirs['mounts']!.map((mount) => mount.replace(writable, '$1,ro$2'));
  }

  it.each<[name: string, change: Change]>([
    ['the stock bundle', () => {}],
    [
      'a user with capabilities, groups, limits and a working directory',
      ({ process }) => {
        const sets = ['CAP_KILL', 'CAP_NET_RAW', 'CAP_DAC_OVERRIDE'];
        process.user = { uid: 1000, gid: 1001, additionalGids: [5, 1002], umask: 0o77 };
        process.capabilities = {
          bounding: sets,
          permitted: sets,
          effective: sets,
          inheritable: ['CAP_KILL'],
          ambient: ['CAP_KILL'],
        };
        process.noNewPrivileges = false;
        process.oomScoreAdj = 77;
        process.cwd = '/data/made';
        process.env!.push('EMPTY=', 'A=1');
        process.rlimits = [
          { type: 'RLIMIT_NOFILE', soft: 64, hard: 128 },
          { type: 'RLIMIT_CORE', soft: 0, hard: 1_000_000 },
          { type: 'RLIMIT_NPROC', soft: 500, hard: 600 },
        ];
      },
    ],
    [
      'a writable root with mounts of every kind',
      (spec) => {
        spec.root.readonly = false;
        mkdirSync(join(bundle.path, 'outside/inner'), { recursive: true });
        const options = (...more: string[]): string[] => ['rbind', 'rprivate', ...more];
        spec.mounts!.push(
          { destination: '/data/a', source: 'outside', options: options('ro') },
          {
            destination: '/data/b',
            source: 'outside',
            options: options('nosuid', 'nodev', 'noexec'),
          },
          { destination: '/data/c', source: 'outside', options: options('noatime') },
          {
            destination: '/data/d',
            source: 'outside',
            options: options('strictatime', 'nodiratime'),
          },
          { destination: '/data/e', source: 'outside', options: options('relatime', 'rw') },
          {
            destination: '/data/f',
            source: 'tmpfs',
            type: 'tmpfs',
            options: ['size=64k', 'noatime'],
          },
          { destination: '/data/g', source: 'x', type: 'tmpfs', options: ['ro', 'mode=0700'] },
          { destination: '/data/g/inner', source: 'outside', options: options() },
        );
        spec.mounts!.find(({ destination }) => destination === '/dev')!.options!.push('ro');
        spec.linux!.maskedPaths!.push('/data/f');
        spec.linux!.readonlyPaths!.push('/data/b');
      },
    ],
    [
      'no cgroup, network, ipc or uts namespace, and nothing masked',
      (spec) => {
        delete spec.hostname;
        spec.mounts = spec.mounts!.filter(({ type }) => type !== 'mqueue');
        spec.linux = {
          resources: spec.linux!.resources,
          namespaces: [{ type: 'pid' }, { type: 'mount' }],
        };
        spec.mounts = spec.mounts.filter(({ type }) => type !== 'sysfs' && type !== 'cgroup');
      },
    ],
  ])('launch of %s shows inside what runc shows', async (_, change) => {
    const inventories = await compare(change);
    if (inventories.theirs['allowed']!.length > 0) allowForDifferences(inventories);
    expect(inventories.ours).toEqual(inventories.theirs);
  });

  it.each(['exit 7', 'kill -9 $$', 'exit 0', 'true | false'])(
    'launch of %j ends with the status that runc returns',
    async (script) => {
      const [own, runc] = [await runIn(bundle, script), await runUnderRunc(bundle, script)];
      const { code, signal } = own.status;
      expect(code ?? 128 + signal!).toBe(runc.code);
    },
  );
});
