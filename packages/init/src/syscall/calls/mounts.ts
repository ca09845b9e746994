import { syscallError } from '@pilotlight/scm-rights';
import type { LibcArgument } from '@pilotlight/scm-rights/libc';
import type { Kernel } from '../kernel.ts';
import {
  SYS_fsconfig,
  SYS_fsmount,
  SYS_fsopen,
  SYS_mount_setattr,
  SYS_move_mount,
  SYS_open_tree,
  SYS_pivot_root,
} from '../number.ts';

// fsconfig(2)
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const MOVE_MOUNT_EMPTY_PATHS = 0x4 | 0x40;

export type MountAttributes = {
  set: number;
  clear: number;
  /** MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE, or 0 to leave it. */
  propagation: number;
};

/** The mount tree. */
export interface MountCalls {
  openTree(dirfd: number, path: string, flags: number): number;
  moveMount(from: number, to: number, path: string): void;
  mountSetattr(dirfd: number, path: string, flags: number, attributes: MountAttributes): void;
  fsopen(fstype: string): number;
  fsconfigFlag(fd: number, key: string): void;
  fsconfigString(fd: number, key: string, value: string): void;
  fsconfigCreate(fd: number, fstype: string): void;
  fsmount(fd: number, attributes: number, fstype: string): number;
  umount2(path: string, flags: number): void;
  pivotRoot(newRoot: string, putOld: string): void;
}

export function mountCalls({ libc, raw, integers, atPath, check, chunk }: Kernel): MountCalls {
  const path = raw('str', 'long', 'long', 'long', 'long');
  const twoPaths = raw('str', 'str', 'long', 'long', 'long');
  const moveMount = raw('long', 'str', 'long', 'str', 'long');
  const fsconfig = raw('long', 'long', 'str', 'str', 'long');
  const read = libc.func('read', 'long', ['int', 'void *', 'size_t']);
  const umount2 = libc.func('umount2', 'int', ['str', 'int']);

  const mountAttr = new BigUint64Array(4);
  const mountAttrAddress = libc.address(mountAttr);

  /** Adds what the file system itself said of the failure: fsconfig(2) leaves it to be read from the descriptor. */
  const fsconfigCheck = (fd: number, operand: string, ...args: LibcArgument[]): void => {
    const result = fsconfig(SYS_fsconfig, fd, ...args);
    if (result !== -1) return;
    const errno = libc.errno();
    const size = read(fd, chunk, 4096);
    const said =
      size > 0
        ? chunk
            .toString('utf8', 0, size)
            .trim()
            .replace(/^[ewi] /, '')
        : '';
    throw syscallError(errno, 'fsconfig', {
      path: operand,
      hint: `${said === '' ? 'The file system refused it' : `The file system says: ${said}`}. Check the mount options; see mount(8).`,
    });
  };

  return {
    openTree: (dirfd, name, flags) =>
      check('open_tree', name, atPath, SYS_open_tree, dirfd, name, flags, 0, 0),
    moveMount(from, to, name) {
      check(
        'move_mount',
        name,
        moveMount,
        SYS_move_mount,
        from,
        '',
        to,
        '',
        MOVE_MOUNT_EMPTY_PATHS,
      );
    },
    mountSetattr(dirfd, name, flags, { set, clear, propagation }) {
      mountAttr[0] = BigInt(set);
      mountAttr[1] = BigInt(clear);
      mountAttr[2] = BigInt(propagation);
      mountAttr[3] = 0n;
      check(
        'mount_setattr',
        name,
        atPath,
        SYS_mount_setattr,
        dirfd,
        name,
        flags,
        mountAttrAddress,
        32,
      );
    },
    fsopen: (fstype) => check('fsopen', fstype, path, SYS_fsopen, fstype, FSOPEN_CLOEXEC, 0, 0, 0),
    fsconfigFlag: (fd, key) => fsconfigCheck(fd, key, FSCONFIG_SET_FLAG, key, null, 0),
    fsconfigString: (fd, key, value) =>
      fsconfigCheck(fd, `${key}=${value}`, FSCONFIG_SET_STRING, key, value, 0),
    fsconfigCreate: (fd, fstype) => fsconfigCheck(fd, fstype, FSCONFIG_CMD_CREATE, null, null, 0),
    fsmount: (fd, attributes, fstype) =>
      check('fsmount', fstype, integers, SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes, 0, 0),
    umount2: (name, flags) => void check('umount2', name, umount2, name, flags),
    pivotRoot(newRoot, putOld) {
      check('pivot_root', newRoot, twoPaths, SYS_pivot_root, newRoot, putOld, 0, 0, 0);
    },
  };
}
