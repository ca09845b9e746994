import { isSyscallError } from '@pilotlight/scm-rights';
import {
  decodeMountFd,
  decodePacket,
  encodeMountPlease,
  encodePacket,
  hasFileFlag,
  type MountPleaseArg,
  type SyncMessage,
} from '@pilotlight/sync';
import type { PlannedBind } from '../../config/init-config.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../../syscall/constants.ts';
import type { Syscall } from '../../syscall/syscall.ts';

const MS_BIND = 0x1000;
const MS_REC = 0x4000;

export type MountSource = {
  /** A detached clone of the source, which the caller owns. */
  tree: number;
  /** It was cloned in the parent's mount namespace, and may still be tied to mounts there. */
  fromParent: boolean;
};

/**
 * Opens the source of a bind mount. The child does it itself where it can. It asks the parent,
 * with procMountPlease, where a user namespace keeps it from the source, and for an id-mapped
 * mount, whose user namespace the parent makes.
 *
 * @param fds the child's sync socket
 * @throws Error when the parent is gone or answers with something else than what was asked for
 */
export function openMountSource(
  sys: Syscall,
  fds: { sync: number },
  mount: PlannedBind,
): MountSource {
  if (mount.idMapping !== undefined) return askParent(sys, fds.sync, mount);
  try {
    const recursive = mount.recursive ? AT_RECURSIVE : 0;
    const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive;
    return { tree: sys.openTree(AT_FDCWD, mount.source, flags), fromParent: false };
  } catch (error) {
    if (!isSyscallError(error, 'EACCES') && !isSyscallError(error, 'EPERM')) throw error;
    return askParent(sys, fds.sync, mount);
  }
}

/** What is asked of the parent: any tree of its mount namespace. */
export type SourceToAskFor = Pick<
  PlannedBind,
  'source' | 'destination' | 'recursive' | 'idMapping'
>;

/** Has the parent clone a tree. @throws as openMountSource */
export function askParent(sys: Syscall, sync: number, mount: SourceToAskFor): MountSource {
  const arg = encodeMountPlease(questionOf(mount));
  sys.sendPacket(sync, encodePacket({ type: 'procMountPlease', flags: 0, arg }));
  const bytes = sys.receivePacket(sync);
  if (bytes === undefined) {
    throw new Error('the parent is gone: expected procMountFd in answer to procMountPlease');
  }
  const answer = decodePacket(bytes);
  if (answer.type !== 'procMountFd' || !hasFileFlag(answer.flags)) {
    throw new Error(`expected procMountFd and a file, received ${describe(answer)}`);
  }
  const { type } = decodeMountFd(answer.arg ?? '');
  const { name, fd } = sys.receiveFile(sync);
  if (name !== mount.source) {
    throw new Error(`asked for ${mount.source}, received ${JSON.stringify(name.slice(0, 200))}`);
  }
  return { tree: type === 'open_tree' ? fd : clone(sys, fd, mount.recursive), fromParent: true };
}

/** An O_PATH descriptor: the parent opened the source in this mount namespace, and did not clone it. */
function clone(sys: Syscall, source: number, recursive: boolean): number {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
  const tree = sys.openTree(source, '', flags | (recursive ? AT_RECURSIVE : 0));
  sys.close(source);
  return tree;
}

/** What the parent needs to know to open the source; attributes and propagation are the child's work. */
function questionOf(mount: SourceToAskFor): MountPleaseArg {
  return {
    source: mount.source,
    destination: mount.destination,
    device: 'bind',
    flags: MS_BIND | (mount.recursive ? MS_REC : 0),
    cleared_flags: 0,
    propagation_flags: [],
    data: '',
    relabel: '',
    extensions: 0,
    ...(mount.idMapping === undefined ? {} : { id_mapping: mount.idMapping }),
  };
}

const describe = ({ type, flags }: SyncMessage): string =>
  type === 'procMountFd' ? `${type} with flags ${flags} and no file` : type;
