import { UnsupportedConfigError } from '../errors.ts';
import { CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER } from '../plan/namespaces.ts';
import type { LaunchPlan } from '../plan/plan-launch.ts';
import type { ForkedChild, ForkRequest, Zygote } from './zygote.ts';
import { type ProcessZygote, startSpawningProcess, type ZygoteOptions } from './zygote-process.ts';

export type SpawningZygoteOptions = Omit<ZygoteOptions, 'selfTest'>;

/**
 * Starts a zygote that never forks itself, for a Node that cannot be forked: for each child it spawns a
 * second Node, which is born as the first process of the new namespaces and becomes the program. A
 * launch through it starts Node, which takes some 40 ms more, and needs root.
 *
 * It refuses, before anything is done: new and joined user namespaces, which a process with threads
 * can neither make nor enter, and with them id-mapped mounts that need a new one; joined time
 * namespaces, for the same reason; and joined pid namespaces, where somebody could reach into
 * the second Node before it has closed itself to ptrace(2).
 *
 * @throws ZygoteError when it cannot be started
 */
export async function startSpawningZygote(options: SpawningZygoteOptions = {}): Promise<Zygote> {
  return new SpawningZygote(await startSpawningProcess(options));
}

/** As startSpawningZygote, in place of a zygote that could not be started for `reason`. */
export async function startFallbackZygote(reason: string): Promise<ProcessZygote> {
  return new SpawningZygote(await startSpawningProcess({}), reason);
}

class SpawningZygote implements ProcessZygote {
  readonly #process: ProcessZygote;
  readonly fallbackReason?: string;
  readonly gone: Promise<void>;

  constructor(process: ProcessZygote, reason?: string) {
    this.#process = process;
    this.gone = process.gone;
    if (reason !== undefined) this.fallbackReason = reason;
  }

  requireSupport({ cloneFlags, joins, init }: LaunchPlan): void {
    const refuse = (field: string, what: string, why: string): never => {
      throw unsupported(field, what, why, this.fallbackReason);
    };
    if ((cloneFlags & CLONE_NEWUSER) !== 0) refuse('linux.namespaces', ...newUserNamespace);
    for (const { flag, index } of joins) {
      const problem = unjoinable.get(flag);
      if (problem !== undefined) refuse(`linux.namespaces[${index}]`, ...problem);
    }
    for (const mount of init.mounts) {
      if (mount.kind !== 'bind' || mount.idMapping === undefined) continue;
      if (mount.idMapping.userns_path === '') refuse(`mounts[${mount.index}]`, ...newIdMap);
    }
  }

  /** @throws UnsupportedConfigError for what requireSupport refuses of a launch */
  async fork(request: ForkRequest): Promise<ForkedChild> {
    const { cloneFlags, joins = [], joinedBy, pidNamespace } = request;
    const problem =
      (cloneFlags & CLONE_NEWUSER) !== 0
        ? newUserNamespace
        : joinedBy === 'entry'
          ? unjoinable.get(CLONE_NEWUSER)
          : pidNamespace !== undefined
            ? unjoinable.get(CLONE_NEWPID)
            : joins.map(({ flags }) => firstUnjoinable(flags)).find(Boolean);
    if (problem !== undefined) {
      throw unsupported('linux.namespaces', ...problem, this.fallbackReason);
    }
    return this.#process.fork(request);
  }

  close(): Promise<void> {
    return this.#process.close();
  }
}

type Problem = readonly [what: string, why: string];

const newUserNamespace: Problem = [
  'a new user namespace',
  'a second Node is spawned for each container, and a process with threads cannot make one',
];
const newIdMap: Problem = [
  'an id-mapped mount without a user namespace that has the map',
  'it takes a new user namespace, which a process with threads cannot make',
];
const unjoinable: ReadonlyMap<number, Problem> = new Map([
  [
    CLONE_NEWUSER,
    [
      'joining a user namespace',
      'a second Node is spawned for each container, and a process with threads cannot join one',
    ],
  ],
  [
    CLONE_NEWTIME,
    [
      'joining a time namespace',
      'a second Node is spawned for each container, and a process with threads cannot join one',
    ],
  ],
  [
    CLONE_NEWPID,
    [
      'joining a pid namespace',
      'a second Node is spawned for each container, and a process in there could take it over while it starts',
    ],
  ],
]);

/** Of a pidfd, which may stand for several namespaces. */
function firstUnjoinable(flags: number): Problem | undefined {
  for (const [flag, problem] of unjoinable) if ((flags & flag) !== 0) return problem;
  return undefined;
}

function unsupported(
  field: string,
  what: string,
  why: string,
  fallbackReason: string | undefined,
): UnsupportedConfigError {
  const fallback =
    fallbackReason === undefined ? '' : `; nothing is forked because ${fallbackReason}`;
  return new UnsupportedConfigError(field, `${what}: ${why}${fallback}`, [], {
    hint: 'Launch with a zygote that forks, see startZygote; its ZygoteError says what it lacks here.',
  });
}
