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
const FSCONFIG_SET_FD = 5;
const FSCONFIG_CMD_CREATE = 6;
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const MOVE_MOUNT_EMPTY_PATHS = 0x4 | 0x40;
const AT_EMPTY_PATH = 0x1000;
const STATX_ATTR_MOUNT_ROOT = 0x2000n;
const STATX_MNT_ID = 0x1000;
/** struct statfs is 120 bytes on both architectures; f_type comes first. */
const STATFS_BYTES = 120;

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
  /** FSCONFIG_SET_FD: a file or directory by its descriptor, which may be an O_PATH one. */
  fsconfigFd(fd: number, key: string, value: number, path: string): void;
  fsconfigCreate(fd: number, fstype: string): void;
  fsmount(fd: number, attributes: number, fstype: string): number;
  umount2(path: string, flags: number): void;
  pivotRoot(newRoot: string, putOld: string): void;
  chroot(path: string): void;
  /** mount(2) on ".", for what fsconfig(2) does not take; `flags` and `data` as mount(2) has them. */
  mountOnWorkingDirectory(source: string, fstype: string, flags: number, data: string): void;
  /** Whether the descriptor is the root of a mount; statx(2), STATX_ATTR_MOUNT_ROOT, Linux 5.8. */
  isMountRoot(fd: number): boolean;
  /** The number that mountinfo has for the mount of a descriptor; statx(2), STATX_MNT_ID, Linux 5.8. */
  mountId(fd: number): number;
  /** f_type of fstatfs(2). */
  filesystemType(fd: number, path: string): number;
}

export function mountCalls({ libc, raw, integers, atPath, check, chunk }: Kernel): MountCalls {
  const path = raw('str', 'long', 'long', 'long', 'long');
  const twoPaths = raw('str', 'str', 'long', 'long', 'long');
  const moveMount = raw('long', 'str', 'long', 'str', 'long');
  const fsconfig = raw('long', 'long', 'str', 'str', 'long');
  const read = libc.func('read', 'long', ['int', 'void *', 'size_t']);
  const umount2 = libc.func('umount2', 'int', ['str', 'int']);

  const chroot = libc.func('chroot', 'int', ['str']);
  const mount = libc.func('mount', 'int', ['str', 'str', 'str', 'ulong', 'str']);
  const statx = libc.func('statx', 'int', ['int', 'str', 'int', 'uint', 'void *']);
  const fstatfs = libc.func('fstatfs', 'int', ['int', 'void *']);

  const statxBuffer = Buffer.alloc(256);
  const statfsBuffer = Buffer.alloc(STATFS_BYTES);
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
    fsconfigFd: (fd, key, value, name) =>
      fsconfigCheck(fd, `${key}=${name}`, FSCONFIG_SET_FD, key, null, value),
    fsconfigCreate: (fd, fstype) => fsconfigCheck(fd, fstype, FSCONFIG_CMD_CREATE, null, null, 0),
    fsmount: (fd, attributes, fstype) =>
      check('fsmount', fstype, integers, SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes, 0, 0),
    umount2: (name, flags) => void check('umount2', name, umount2, name, flags),
    pivotRoot(newRoot, putOld) {
      check('pivot_root', newRoot, twoPaths, SYS_pivot_root, newRoot, putOld, 0, 0, 0);
    },
    chroot: (name) => void check('chroot', name, chroot, name),
    mountOnWorkingDirectory: (source, fstype, flags, data) =>
      void check('mount', source, mount, source, '.', fstype, flags, data),
    isMountRoot(fd) {
      check('statx', fd, statx, fd, '', AT_EMPTY_PATH, 0, statxBuffer);
      return (statxBuffer.readBigUInt64LE(8) & STATX_ATTR_MOUNT_ROOT) !== 0n;
    },
    mountId(fd) {
      check('statx', fd, statx, fd, '', AT_EMPTY_PATH, STATX_MNT_ID, statxBuffer);
      return Number(statxBuffer.readBigUInt64LE(144));
    },
    filesystemType(fd, name) {
      check('fstatfs', name, fstatfs, fd, statfsBuffer);
      return statfsBuffer.readUInt32LE(0);
    },
  };
}
