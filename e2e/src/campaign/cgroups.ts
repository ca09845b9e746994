import { globSync, rmdirSync, statSync } from 'node:fs';

/** The cgroups of a campaign's programs, in every hierarchy; version 1 has several. */
export function cgroupsNamed(name: string): string[] {
  return globSync([`/sys/fs/cgroup/${name}/*`, `/sys/fs/cgroup/*/${name}/*`]).filter(isDirectory);
}

/** The parent that they had in common, which no launch removes because others may be in it. */
export function removeEmptyParents(name: string): void {
  for (const path of globSync([`/sys/fs/cgroup/${name}`, `/sys/fs/cgroup/*/${name}`])) {
    try {
      rmdirSync(path);
    } catch {
      // Those that are left are complained of.
    }
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
