import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path/posix';

/** A cgroup directory as it is listed: which interface files it has, and the cgroups below it. */
export type CgroupListing = {
  path: string;
  version: 1 | 2;
  files: ReadonlySet<string>;
  /** Names of the directories in it. */
  inner: readonly string[];
};

/**
 * Lists a cgroup directory; `undefined` when it is gone.
 *
 * Only v2 has `cgroup.controllers`, and it is in every cgroup there; cgroups(7).
 */
export async function listCgroup(path: string): Promise<CgroupListing | undefined> {
  let entries;
  try {
    entries = await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
  const files = new Set<string>();
  const inner: string[] = [];
  for (const entry of entries) {
    if (entry.isDirectory()) inner.push(entry.name);
    else files.add(entry.name);
  }
  return { path, version: files.has('cgroup.controllers') ? 2 : 1, files, inner };
}

/** Lists those of `paths` that are there, in their order. */
export async function listCgroups(paths: readonly string[]): Promise<CgroupListing[]> {
  const listings = await Promise.all(paths.map(listCgroup));
  return listings.filter((listing) => listing !== undefined);
}

/** Lists a cgroup and all below it, outer ones first; nothing when it is gone. */
export async function listCgroupTree(path: string): Promise<CgroupListing[]> {
  const own = await listCgroup(path);
  if (own === undefined) return [];
  const below = await Promise.all(own.inner.map((name) => listCgroupTree(join(path, name))));
  return [own, ...below.flat()];
}

/**
 * The text of an interface file without the newline at its end; `undefined` when the file or its
 * cgroup is not there, or the kernel does not offer what the file is for.
 */
export async function readInterface(path: string, file: string): Promise<string | undefined> {
  try {
    return (await readFile(join(path, file), 'utf8')).replace(/\n$/, '');
  } catch (error) {
    if (isGone(error) || (error as NodeJS.ErrnoException).code === 'EOPNOTSUPP') return undefined;
    throw error;
  }
}

/** ENODEV is what an open file of a removed cgroup says. */
export const isGone = (error: unknown): boolean => {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENODEV' || code === 'ENOTDIR';
};

/** Lines of `key value` with whole numbers; others are left out. The kernel's "flat keyed" form. */
export function parseFlatKeyed(text: string): Map<string, bigint> {
  const values = new Map<string, bigint>();
  for (const line of text.split('\n')) {
    const match = /^(\S+) (\d+)$/.exec(line);
    if (match !== null) values.set(match[1]!, BigInt(match[2]!));
  }
  return values;
}

/** The numbers in `cgroup.procs`; 0 stands for a process that is in no pid namespace of ours. */
export const parsePids = (text: string): number[] => text.split('\n').map(Number).filter(Boolean);
