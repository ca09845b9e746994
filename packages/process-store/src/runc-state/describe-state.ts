import { readdirSync, readlinkSync } from 'node:fs';
import type { Hierarchy, OciSpec } from '@pilotlight/init';
import { errnoCode, ForeignNamespaceError, RuncStateError } from '../errors.ts';
import type { ProcessFacts } from '../process/view-record.ts';
import { here } from '../supervision/here.ts';
import { identify } from '../supervision/identify.ts';
import { isReaped } from '../supervision/wait-reaped.ts';
import { describeConfig, namespaceTypes } from './describe-config.ts';
import type { RuncState } from './runc-state.ts';

/** The kinds that runc 1.1.5 knows, sorted as Go sorts them. */
const keptNamespaces = Object.entries(namespaceTypes)
  .filter(([kind]) => kind !== 'time')
  .map(([kind, type]) => ({ link: linkName(kind), type }))
  .toSorted((one, other) => (one.type < other.type ? -1 : 1));

/** proc_pid_fd(5): closed, ended, or another user's. */
const HIDDEN = new Set<string | undefined>(['ENOENT', 'ESRCH', 'EACCES', 'EPERM']);

/** What of the state only the process itself can tell. */
type Identity = Pick<RuncState, 'init_process_pid' | 'init_process_start' | 'external_descriptors'>;

/** A process that has ended has no pid that runc might look at, or signal. */
const ended: Identity = { init_process_pid: -1, init_process_start: 0n, external_descriptors: [] };

/**
 * A recorded process as runc 1.1.5 would have recorded it.
 *
 * Throws RuncStateError for a process at its gate and for a setting without translation, ForeignNamespaceError, SyscallError.
 */
export async function describeState(facts: ProcessFacts): Promise<RuncState> {
  const { proc, spec, released, exit } = facts;
  if (!released && exit === undefined) {
    throw new RuncStateError(proc.id, 'it waits at a gate that runc cannot open', {
      hint: 'Start it first; then write the state.',
    });
  }
  // The pid would be another process there, or here.
  if (proc.namespaces.pid !== here().namespaces.pid) {
    throw new ForeignNamespaceError('describe', proc.id);
  }
  const { planLaunch, readHierarchies, validateSpec } = await import('@pilotlight/init');
  const ociSpec: OciSpec = validateSpec(spec.spec);
  const hierarchies = readHierarchies();
  const plan = planLaunch({ id: proc.id, spec: ociSpec, bundle: proc.bundle, hierarchies });
  const config = describeConfig(ociSpec, proc.bundle, plan);
  const isThisBoot = proc.bootId === here().bootId;
  const { init_process_pid, init_process_start, external_descriptors } =
    isThisBoot && exit === undefined ? describeProcess(facts) : ended;
  return {
    id: proc.id,
    init_process_pid,
    init_process_start,
    created: spec.createdAt,
    config,
    rootless: false,
    // After a restart the same paths are somebody else's.
    cgroup_paths: isThisBoot ? describeCgroupPaths(proc.cgroupPaths, hierarchies) : {},
    namespace_paths: init_process_pid > 0 ? describeNamespaces(init_process_pid) : {},
    external_descriptors,
    intel_rdt_path: '',
  };
}

/** Of the process itself, never of a later one with its number. */
function describeProcess({ proc }: ProcessFacts): Identity {
  const identified = identify(proc);
  if (identified.kind !== 'same') return ended;
  using pidfd = identified.pidfd;
  const links = [0, 1, 2].flatMap((fd) => readLink(`/proc/${proc.pid}/fd/${fd}`) ?? []);
  // Read by number: it was ours only if ours is still there.
  if (isReaped(pidfd)) return ended;
  return {
    init_process_pid: proc.pid,
    init_process_start: proc.startTicks,
    // All three or none: runc takes them by position.
    external_descriptors: links.length === 3 ? links : [],
  };
}

/** Undefined for a descriptor that the program has closed, or that we may not look at; for all of them once it is a zombie. */
function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (HIDDEN.has(errnoCode(error))) return undefined;
    throw error;
  }
}

/** By controller, sorted; those of version 2 under the empty name. Paths outside every mounted hierarchy are left out. */
export function describeCgroupPaths(
  paths: readonly string[],
  hierarchies: readonly Pick<Hierarchy, 'controllers' | 'mountpoint'>[],
): Record<string, string> {
  const entries = paths.flatMap((path) => {
    // The longest: one hierarchy may be mounted below another.
    const [hierarchy] = hierarchies
      .filter(({ mountpoint }) => `${path}/`.startsWith(`${mountpoint}/`))
      .toSorted((one, other) => other.mountpoint.length - one.mountpoint.length);
    return hierarchy?.controllers.split(',').map((name): [string, string] => [name, path]) ?? [];
  });
  return Object.fromEntries(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

function describeNamespaces(pid: number): Record<string, string> {
  const existing = new Set(readdirSync('/proc/self/ns'));
  return Object.fromEntries(
    keptNamespaces
      .filter(({ link }) => existing.has(link))
      .map(({ link, type }) => [type, `/proc/${pid}/ns/${link}`]),
  );
}

/** namespaces(7), the /proc/pid/ns/ directory. */
function linkName(kind: string): string {
  return { mount: 'mnt', network: 'net' }[kind] ?? kind;
}
