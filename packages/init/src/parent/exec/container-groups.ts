import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path/posix';
import { allDone } from '../../cgroup/all-done.ts';
import { type CgroupListing, listCgroups, readInterface } from '../../cgroup/cgroup-files.ts';
import { readHierarchies } from '../../cgroup/hierarchies.ts';
import { causedBy, LaunchError } from '../../errors.ts';
import type { ResourceGroups } from '../resource-groups.ts';

/** The groups of a container that a process is added to: they are entered, and stay. */
export class ContainerGroups implements ResourceGroups {
  readonly paths: string[] = [];
  readonly made: readonly string[] = [];
  readonly #paths: readonly string[];
  /** Of the container's first process. */
  readonly #pid: number;
  readonly #afterwards: boolean;
  #groups: CgroupListing[] = [];

  /** @param afterwards enter with `enterLate`, right before the program: a frozen cgroup stops who enters it */
  constructor(paths: readonly string[], pid: number, afterwards: boolean) {
    this.#paths = paths;
    this.#pid = pid;
    this.#afterwards = afterwards;
  }

  /** With v2 alone, and none of resctrl, nothing of the child ever runs outside. */
  get birthplace(): string | undefined {
    const [only, ...others] = this.#groups;
    const isFit = !this.#afterwards && others.length === 0 && only?.version === 2;
    // A cgroup that has handed controllers down takes no processes itself.
    return isFit && only.inner.length === 0 ? only.path : undefined;
  }

  async create(): Promise<boolean> {
    this.#groups = await listCgroups(this.#paths);
    return false;
  }

  async enter(pid: number): Promise<boolean> {
    if (this.#afterwards || this.birthplace !== undefined) return false;
    await this.enterLate(pid);
    return this.#groups.length > 0;
  }

  async enterLate(pid: number): Promise<void> {
    await allDone(this.#groups.map((group) => this.#enter(group, pid)));
  }

  async leave(): Promise<void> {
    // The first child has taken itself out by its end.
  }

  async release(): Promise<void> {
    // They are the container's.
  }

  /** Whether the container's processes are stopped. */
  async isFrozen(): Promise<boolean> {
    for (const { path } of await listCgroups(this.#paths)) {
      const v1 = await readInterface(path, 'freezer.state');
      if (v1 !== undefined) return v1 !== 'THAWED';
    }
    for (const path of this.#paths) {
      if ((await readInterface(path, 'cgroup.freeze')) === '1') return true;
    }
    return false;
  }

  async #enter({ path, version, files }: CgroupListing, pid: number): Promise<void> {
    // A group of resctrl has no other list.
    const file = join(path, files.has('cgroup.procs') ? 'cgroup.procs' : 'tasks');
    try {
      await writeFile(file, String(pid));
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (version === 2 && code === 'EBUSY' && (await this.#enterBesideInit(path, pid))) return;
      throw groupFailure(file, cause as NodeJS.ErrnoException);
    }
  }

  /** The container has made cgroups inside its own: then its first process has moved into one of them. */
  async #enterBesideInit(container: string, pid: number): Promise<boolean> {
    const cgroups = await readFile(`/proc/${this.#pid}/cgroup`, 'utf8');
    const own = /^0::(.*)$/m.exec(cgroups)?.[1];
    const v2 = readHierarchies().find(({ version }) => version === 2);
    if (own === undefined || v2 === undefined) return false;
    const path = join(v2.mountpoint, own);
    // Nowhere but in the container's own: it may have been moved by somebody else meanwhile.
    if (!path.startsWith(`${container}/`)) return false;
    const file = join(path, 'cgroup.procs');
    try {
      await writeFile(file, String(pid));
    } catch (cause) {
      throw groupFailure(file, cause as NodeJS.ErrnoException);
    }
    return true;
  }
}

function groupFailure(file: string, cause: NodeJS.ErrnoException): LaunchError {
  const { code } = cause;
  return new LaunchError({
    step: 'cgroup',
    message: `write ${file}: ${code ?? String(cause)}`,
    ...causedBy(cause),
    syscall: 'write',
    path: file,
    hint: 'Give the cgroupPaths that the container was launched with; only root, or the user they are delegated to, may enter them.',
  });
}
