// What is left of an observation when that which must differ is gone, and which differences are meant.
import { readdirSync, readlinkSync } from 'node:fs';
import type { OciSpec } from '@pilotlight/init';
import type { Observation } from './probe.ts';
import type { Outcome, Runtime } from './references.ts';

/** Ids, inode numbers and paths of the bundle replaced by what they stand for; lists sorted where their order is nobody's choice. */
export function normalise(outcome: Outcome, runtime: Runtime): Observation {
  const { seen, id } = outcome;
  const observation: Observation = { end: [endAsExitCode(outcome.end)] };
  if (seen === undefined) return observation;
  for (const [name, lines] of Object.entries(seen)) {
    const known = lines.map((line) =>
      line.replaceAll(runtime.bundle.path, '<bundle>').replaceAll(id, '<id>'),
    );
    observation[name] = rules[name]?.(known) ?? known;
  }
  return observation;
}

const rules: Readonly<Record<string, (lines: string[]) => string[]>> = {
  ns: (lines) => lines.map((line) => namespaceLine(line)).toSorted(),
  // Whose process group and session it is depends on pids; that it leads both does not.
  process: (lines) =>
    lines.map((line) =>
      line.replace(/^pgrp (\d+) session (\d+)/, (_, pgrp: string, session: string) =>
        pgrp === session ? 'leads its session' : 'in a session of another',
      ),
    ),
  fds: (lines) =>
    lines.map((line) => {
      const [fd, target = '', ...flags] = line.split(/\s+/);
      const kind = target.replace(/:\[\d+\]$/, '').replace(/^\/proc\/\d+/, '/proc/<pid>');
      // A descriptor of the shell, which reads the directory.
      if (target === '' || kind.startsWith('/proc/<pid>')) return `${fd} of the probe`;
      const isNonBlocking = (Number.parseInt(flags.at(-1) ?? '', 8) & 0o4000) !== 0;
      // What the caller gave, or what the runtime put between.
      const isStream = Number(fd) <= 2 && ['/dev/null', 'pipe', 'socket'].includes(kind);
      return `${fd} ${isStream ? 'stream' : kind}${isNonBlocking ? ' non-blocking' : ''}`;
    }),
  environ: (lines) => lines.toSorted(),
  mountinfo: (lines) => lines.map((line) => mountLine(line)).toSorted(),
};

const hostNamespaces = new Map(
  readdirSync('/proc/self/ns').map((name) => [name, readlinkSync(`/proc/self/ns/${name}`)]),
);

function namespaceLine(line: string): string {
  const [name = '', identity] = line.split(' ');
  return `${name} ${hostNamespaces.get(name) === identity ? "the host's" : 'new'}`;
}

/** Without what differs from one mount to the next: ids, device numbers, peer groups; options sorted. */
function mountLine(line: string): string {
  const [before = '', after = ''] = line.split(' - ');
  const [, , , root, mountpoint, options = '', ...optional] = before.split(' ');
  const [fstype, sourceName = '', superOptions = ''] = after.split(' ');
  // A named v1 hierarchy is called by its name by some, and "cgroup" by others; it is but a label.
  const source = fstype === 'cgroup' ? 'cgroup' : sourceName;
  const sort = (list: string): string => list.split(',').toSorted().join(',');
  const propagation = optional.map((field) => field.replace(/:\d+$/, ''));
  return [mountpoint, root, fstype, source, sort(options), sort(superOptions), ...propagation].join(
    ' ',
  );
}

/** 128 + n for a signal, as the references say it. */
function endAsExitCode(end: string): string {
  const signal = /^signaled (\d+)$/.exec(end)?.[1];
  return signal === undefined ? end : `exited ${128 + Number(signal)}`;
}

/** A difference that is meant, or that lies in the reference. */
type Deliberate = {
  runtime: 'runc' | 'crun' | 'both';
  section: string;
  /** The sentence of the specification, or what else makes the reference's way not ours. */
  why: string;
} & (
  | {
      /** The lines that are not compared, on either side. */
      differs: (line: string, spec: OciSpec) => boolean;
    }
  | {
      /** What of each line is compared. */
      alike: (line: string, spec: OciSpec) => string;
    }
);

/** Whether a line of mountinfo, paths or write is of a path, or of something below it. */
const isOf = (line: string, path: string): boolean => line.startsWith(`${path} `);
const isBelow = (line: string, path: string): boolean =>
  line.replace(/^touch: (.*)\/x-probe: .*/, '$1 refused').startsWith(`${path}/`);
function isCopiedUp(line: string, { mounts }: OciSpec): boolean {
  const copied = mounts?.filter(({ options }) => options?.includes('tmpcopyup')) ?? [];
  return copied.some(({ destination }) => isOf(line, destination));
}
const masked = (spec: OciSpec): readonly string[] => spec.linux?.maskedPaths ?? [];
const readonly = (spec: OciSpec): readonly string[] => spec.linux?.readonlyPaths ?? [];

/** The lines of each row are not compared, neither ours nor theirs. */
export const deliberate: readonly Deliberate[] = [
  {
    runtime: 'runc',
    section: 'resources',
    why: 'runc before 1.2 lets every container use /dev/net/tun; config-linux.md, "Default Devices", does not have it',
    differs: (line) => line === 'c 10:200 rwm',
  },
  ...(['paths', 'devices'] as const).map((section): Deliberate => ({
    runtime: 'runc',
    section,
    why: 'runc makes the ipc namespace as the user of the root of the user namespace, and not as its group',
    alike: (line) => line.replace(/^(\/dev\/mqueue .* \d+):65534/, '$1:0'),
  })),
  {
    runtime: 'runc',
    section: 'environ',
    why: 'runc replaces an empty HOME; config.md, process.env: "the same semantics as environ", where a variable may be empty',
    differs: (line, { process }) =>
      line.startsWith('HOME=') && process.env?.includes('HOME=') === true,
  },
  {
    runtime: 'both',
    section: 'mountinfo',
    why: 'the option "ro" of a cgroup mount is for all of it; both leave the directory of the v1 hierarchies writable',
    differs: (line) => isOf(line, '/sys/fs/cgroup'),
  },
  {
    runtime: 'both',
    section: 'mountinfo',
    why: 'a tmpfs with what it covers gets its mode by an option or by chmod(2): the section "paths" has it',
    alike: (line, spec) => (isCopiedUp(line, spec) ? line.replace(/mode=\d+,?/, '') : line),
  },
  {
    runtime: 'both',
    section: 'paths',
    why: 'the mode of that directory: runc takes it from what lay below, crun makes it 1777',
    differs: (line) => isOf(line, '/sys/fs/cgroup'),
  },
  ...(['mountinfo', 'write'] as const).map((section): Deliberate => ({
    runtime: 'both',
    section,
    why: 'config-linux.md, readonlyPaths: "set the provided paths as readonly"; both leave what is mounted below writable',
    differs: (line, spec) => readonly(spec).some((path) => isBelow(line, path)),
  })),
  {
    runtime: 'runc',
    section: 'mountinfo',
    why: 'config-linux.md, rootfsPropagation: "shared" makes the root shared; under runc 1.1 it is private',
    alike: (line, { linux }) =>
      linux?.rootfsPropagation?.endsWith('shared') === true ? line.replace(/ shared$/, '') : line,
  },
  {
    runtime: 'crun',
    section: 'mountinfo',
    why: "config-linux.md does not say how a path is masked or made read-only: crun takes the host's /dev/null, and drops nosuid, nodev and noexec",
    differs: (line, spec) =>
      [...masked(spec), ...readonly(spec)].some((path) => isOf(line, path)) ||
      line.startsWith('/proc/'),
  },
  {
    runtime: 'crun',
    section: 'mountinfo',
    why: 'crun makes a new file system read-only for the mount alone, not its super block, and keeps no shared or unbindable mount',
    alike: (line) => {
      const [mountpoint, root, fstype, source, options, superOptions = ''] = line.split(' ');
      const others = superOptions.split(',').filter((option) => option !== 'ro' && option !== 'rw');
      return [mountpoint, root, fstype, source, options, others.join(',')].join(' ');
    },
  },
  {
    runtime: 'crun',
    section: 'mountinfo',
    why: "the devices of a user namespace are the host's, mounted: with which options is nowhere specified",
    differs: (line) => /^\/dev\/\w+ \/\w+ devtmpfs /.test(line),
  },
  {
    runtime: 'crun',
    section: 'write',
    why: 'which of the two refuses a write depends on where "ro" stands',
    alike: (line) => line.replace(/Permission denied|Read-only file system/, 'refused'),
  },
  ...(['paths', 'cwd'] as const).map((section): Deliberate => ({
    runtime: 'crun',
    section,
    why: 'crun gives directories that it makes on the way to a mount the sticky bit',
    alike: (line) => line.replace('directory 1755 ', 'directory 755 '),
  })),
  {
    runtime: 'crun',
    section: 'paths',
    why: 'crun copies what a tmpfs covers, but not the mode of the directory',
    differs: isCopiedUp,
  },
  {
    runtime: 'crun',
    section: 'devices',
    why: 'crun links /dev/core, which runtime-linux.md, "Dev symbolic links", does not have, and gives the /dev/null on a stream to the user, for all who use it',
    differs: (line) => isOf(line, '/dev/core') || line === '/proc/kcore' || isOf(line, '/dev/null'),
  },
  {
    runtime: 'crun',
    section: 'read',
    why: 'crun joins a keyring before the user namespace is there, where it is not seen then',
    differs: (line) => isOf(line, '/proc/keys'),
  },
  {
    runtime: 'crun',
    section: 'resources',
    why: 'crun allows /dev/console without a terminal as well',
    differs: (line) => line === 'c 5:1 rwm',
  },
  {
    runtime: 'crun',
    section: 'environ',
    why: 'crun sets no HOME for a user that passwd(5) does not have',
    differs: (line) => line === 'HOME=/',
  },
  ...(['cgroup', 'mountinfo'] as const).map((section): Deliberate => ({
    runtime: 'crun',
    section,
    why: 'config-linux.md, "Cgroups Path": where a relative path starts is the runtime\'s choice; and v2 is hidden from crun here',
    differs: (line) => /^\d+:memory:|^0::|^\/sys\/fs\/cgroup\/(memory|unified) /.test(line),
  })),
];

/** What a reference does not do at all: its container never starts, and nothing can be compared. */
export const refusals: readonly { runtime: Runtime['name']; said: RegExp; why: string }[] = [
  {
    runtime: 'runc',
    said: /cannot punch hole in existing wildcard rule/,
    why: 'runc takes no rule that denies a part of what an earlier one allows',
  },
  {
    runtime: 'runc',
    said: /mount \S+rootfs:\S+rootfs, flags: 0x5000: invalid argument/,
    why: 'runc makes the root unbindable first, and cannot bind it then',
  },
  {
    runtime: 'runc',
    said: /open \/proc\/sys\/\S+: read-only file system/,
    why: "runc sets kernel parameters through the container's own /proc",
  },
  {
    runtime: 'crun',
    said: /writing file `(pids\.max|cpu\.cfs_quota_us)`/,
    why: 'crun writes -1 for "no limit" as it is, which v1 does not take',
  },
  {
    runtime: 'crun',
    said: /mount_setattr .*: Invalid argument/,
    why: 'crun 1.8 sets a mode of access times for a tree without clearing the old one, mount_setattr(2)',
  },
  {
    runtime: 'crun',
    said: /mount `\S+` to `\S+`: Invalid argument/,
    why: 'crun makes the root unbindable first, and cannot bind then',
  },
  {
    runtime: 'crun',
    said: /it must be mounted at the root/,
    why: 'crun mounts proc and sysfs nowhere but at /proc and /sys',
  },
];

/** Whether a reference says that this is something it does not do. */
export const isRefusal = (runtime: Runtime['name'], { end, said }: Outcome): boolean =>
  end === 'failed' && refusals.some((one) => one.runtime === runtime && one.said.test(said));

/** An observation without the lines that differ deliberately from that runtime's. */
export function withoutDeliberate(
  observation: Observation,
  runtime: Runtime['name'],
  spec: OciSpec,
): Observation {
  const result = { ...observation };
  for (const difference of deliberate) {
    const { runtime: whose, section } = difference;
    const lines = result[section];
    if (lines === undefined || (whose !== 'both' && whose !== runtime)) continue;
    result[section] =
      'alike' in difference
        ? lines.map((line) => difference.alike(line, spec)).toSorted()
        : lines.filter((line) => !difference.differs(line, spec));
  }
  return result;
}

/** Lines that only one of the two has, by section; empty where both saw the same. */
export function differences(own: Observation, reference: Observation): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  const didRun = (observation: Observation): boolean => observation['status'] !== undefined;
  if (didRun(own) !== didRun(reference)) {
    return { end: [`ours:   ${own['end']?.join('')}`, `theirs: ${reference['end']?.join('')}`] };
  }
  for (const section of new Set([...Object.keys(own), ...Object.keys(reference)])) {
    const [mine, theirs] = [own[section] ?? [], reference[section] ?? []];
    const lines = [
      ...withoutOnes(mine, theirs).map((line) => `ours:   ${line}`),
      ...withoutOnes(theirs, mine).map((line) => `theirs: ${line}`),
    ];
    if (lines.length > 0) found[section] = lines;
    else if (mine.join('\n') !== theirs.join('\n'))
      found[section] = ['the same lines in another order'];
  }
  return found;
}

/** Each line of `lines` that is not in `others`, as often as it is there more often. */
function withoutOnes(lines: readonly string[], others: readonly string[]): string[] {
  const rest = [...others];
  return lines.filter((line) => {
    const at = rest.indexOf(line);
    if (at === -1) return true;
    rest.splice(at, 1);
    return false;
  });
}
