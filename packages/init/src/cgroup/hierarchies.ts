import { readFileSync } from 'node:fs';

/** One mounted cgroup hierarchy of this mount namespace, and where this process stands in it. */
export type Hierarchy = {
  version: 1 | 2;
  /** The option a v1 hierarchy is mounted with: a controller, several joined by commas, or `name=…`; `''` on v2. */
  controllers: string;
  mountpoint: string;
  /** The cgroup that is seen at the mount point; `/` unless the mount shows a part of the hierarchy. */
  root: string;
  /** The cgroup of this process, from the hierarchy's root as this cgroup namespace sees it. */
  ownPath: string;
};

/**
 * The hierarchies that are mounted here: one on a v2 host, several on v1, both on a hybrid one.
 *
 * Read from /proc/self/mountinfo and /proc/self/cgroup, see cgroups(7). A hierarchy without a
 * mount is left out: nothing can be done with it.
 */
export function readHierarchies(
  mountinfo: string = readFileSync('/proc/self/mountinfo', 'utf8'),
  cgroups: string = readFileSync('/proc/self/cgroup', 'utf8'),
): Hierarchy[] {
  const own = parseOwnCgroups(cgroups);
  const hierarchies: Hierarchy[] = [];
  for (const { version, options, mountpoint, root } of parseCgroupMounts(mountinfo)) {
    const found = own.find(
      (candidate) =>
        candidate.version === version &&
        (version === 2 || sameControllers(options, candidate.controllers)),
    );
    const isSecondMount = hierarchies.some(({ controllers }) => controllers === found?.controllers);
    if (found !== undefined && !isSecondMount) {
      hierarchies.push({ ...found, mountpoint, root });
    }
  }
  return hierarchies;
}

function parseOwnCgroups(text: string): Pick<Hierarchy, 'version' | 'controllers' | 'ownPath'>[] {
  return text.split('\n').flatMap((line) => {
    const [id, controllers, ...path] = line.split(':');
    if (id === undefined || controllers === undefined || path.length === 0) return [];
    const version = id === '0' && controllers === '' ? 2 : 1;
    return [{ version, controllers, ownPath: path.join(':') }];
  });
}

/** Whether only the unified hierarchy is there, or `undefined` where no hierarchy is mounted at all. */
export function isUnified(hierarchies: readonly Hierarchy[]): boolean | undefined {
  if (hierarchies.length === 0) return undefined;
  return hierarchies.every((hierarchy) => hierarchy.version === 2);
}

type CgroupMount = { version: 1 | 2; options: string[]; mountpoint: string; root: string };

function parseCgroupMounts(mountinfo: string): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of mountinfo.split('\n')) {
    // Fields after the separator: file system type, source, super block options (proc(5)).
    const [before, after] = line.split(' - ');
    const [fstype, , options] = (after ?? '').split(' ');
    const fields = (before ?? '').split(' ');
    const [root, mountpoint] = [fields[3], fields[4]];
    if (root === undefined || mountpoint === undefined) continue;
    if (fstype !== 'cgroup' && fstype !== 'cgroup2') continue;
    mounts.push({
      version: fstype === 'cgroup' ? 1 : 2,
      options: (options ?? '').split(','),
      mountpoint: unescapeOctal(mountpoint),
      root: unescapeOctal(root),
    });
  }
  return mounts;
}

const sameControllers = (options: readonly string[], controllers: string): boolean =>
  controllers.split(',').every((controller) => options.includes(controller));

/** Blank, tab, newline and backslash are written as octal escapes in mountinfo. */
const unescapeOctal = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCodePoint(Number.parseInt(digits, 8)),
  );
