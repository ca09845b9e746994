import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where programs of the references are looked for, most wanted first. */
export type SearchPath = readonly string[];

const PACKAGES = ['conmon', 'containerd'];

/** The directories of PATH and those of administrators. */
export function ownSearchPath(): SearchPath {
  const path = process.env['PATH']?.split(delimiter) ?? [];
  return [...path, '/usr/local/sbin', '/usr/sbin', '/sbin'].filter((folder) => folder !== '');
}

/** The programs in this order, or the name of the first that is missing. */
export function findPrograms(
  path: SearchPath,
  ...names: string[]
): { files: string[] } | { missing: string } {
  const files: string[] = [];
  for (const name of names) {
    const file = path
      .map((folder) => join(folder, name))
      .find((candidate) => existsSync(candidate));
    if (file === undefined) return { missing: name };
    files.push(file);
  }
  return { files };
}

/** Fetches Debian's packages and unpacks them in `directory`; nothing is installed. Throws what apt-get says. */
export function fetchPackages(directory: string): SearchPath {
  const [downloads, unpacked] = [join(directory, 'debs'), join(directory, 'programs')];
  mkdirSync(downloads);
  execFileSync('apt-get', ['download', ...PACKAGES], { cwd: downloads, stdio: 'pipe' });
  for (const name of readdirSync(downloads)) {
    execFileSync('dpkg-deb', ['-x', join(downloads, name), unpacked]);
  }
  return [join(unpacked, 'usr', 'bin')];
}
