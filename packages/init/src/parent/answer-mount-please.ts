import { isSyscallError, type OwnedFd } from '@pilotlight/scm-rights';
import { decodeMountPlease, encodeMountFd, type MountIdMapping } from '@pilotlight/sync';
import type { PlannedBind } from '../config/init-config.ts';
import { causedBy, LaunchError } from '../errors.ts';
import type { LaunchPlan } from '../plan/plan-launch.ts';
import { cloneMountTree, mapMountIds } from '../syscall/mount-tree.ts';
import { withUserNamespace } from './with-user-namespace.ts';
import type { Zygote } from './zygote.ts';

/** The answer to procMountPlease; whoever sends it closes the tree. */
export type MountAnswer = { arg: string; tree: OwnedFd; name: string };

/**
 * Clones what a child cannot reach: a source that its user namespace keeps it from, or one whose
 * ids are to be mapped. Only what the plan names is ever opened, whatever the child says.
 *
 * @throws LaunchError with step `mounts`
 */
export async function answerMountPlease(
  rawArg: string,
  plan: LaunchPlan,
  zygote: Zygote,
): Promise<MountAnswer> {
  const { source, destination } = decodeMountPlease(rawArg);
  const asked = findAsked(plan, source, destination);
  if (asked === undefined) {
    throw new LaunchError({
      step: 'mounts',
      message: `the child asked for ${source}, which no mount of its configuration names`,
      path: source,
      hint: 'Parent and child disagree about the configuration; this is a mistake in pilotlight.',
    });
  }
  try {
    const tree = cloneMountTree(source, asked.recursive);
    try {
      if (asked.idMapping !== undefined) await mapIds(tree, asked.idMapping, zygote);
    } catch (error) {
      tree.close();
      throw error;
    }
    return { arg: encodeMountFd({ type: 'open_tree' }), tree, name: source };
  } catch (cause) {
    throw mountFailure(cause, asked);
  }
}

type Asked = {
  source: string;
  recursive: boolean;
  idMapping: MountIdMapping | undefined;
  /** In `mounts`; the root has none. */
  index: number | undefined;
};

function findAsked({ init }: LaunchPlan, source: string, destination: string): Asked | undefined {
  if (destination === '/' && source === init.rootfs.path) {
    return { source, recursive: true, idMapping: undefined, index: undefined };
  }
  const mount = init.mounts.find(
    (candidate): candidate is PlannedBind =>
      candidate.kind === 'bind' &&
      candidate.source === source &&
      candidate.destination === destination,
  );
  if (mount === undefined) return undefined;
  const { recursive, idMapping, index } = mount;
  return { source, recursive, idMapping, index };
}

async function mapIds(
  tree: OwnedFd,
  { recursive, userns_path, uid_mappings, gid_mappings }: MountIdMapping,
  zygote: Zygote,
): Promise<void> {
  const maps = { path: userns_path, uidMappings: uid_mappings, gidMappings: gid_mappings };
  await withUserNamespace(maps, zygote, (namespace) => mapMountIds(tree, namespace, recursive));
}

function mountFailure(cause: unknown, { source, index, idMapping }: Asked): unknown {
  if (!isSyscallError(cause)) return cause;
  const where = index === undefined ? '' : ` (mounts[${index}])`;
  const verb = cause.syscall === 'mount_setattr' ? 'map the ids of' : 'open';
  return new LaunchError({
    step: 'mounts',
    message: `${verb} ${source}${where}: ${cause.message}`,
    ...causedBy(cause),
    path: source,
    ...(index === undefined ? {} : { index }),
    hint:
      idMapping !== undefined && cause.code === 'EINVAL'
        ? 'The file system must know id-mapped mounts, and must not be id-mapped already; see mount_setattr(2), ID-mapped mounts.'
        : (cause.hint ?? `See ${cause.syscall}(2), Errors.`),
  });
}
