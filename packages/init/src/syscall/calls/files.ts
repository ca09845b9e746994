import { syscallError } from '@pilotlight/scm-rights';
import { O_CLOEXEC, O_RDWR, RESOLVE_IN_ROOT } from '../constants.ts';
import type { Kernel } from '../kernel.ts';
import { SYS_mknodat, SYS_openat2 } from '../number.ts';

const EINTR = 4;
const EAGAIN = 11;
const maxOpenAttempts = 1000;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const STATX_MODE_AND_TYPE = 0x3;

/** What statx(2) tells of a file, as far as the child asks. */
export type FileStatus = {
  /** Type and permissions, as in st_mode. */
  mode: number;
  /** Of a device node. */
  deviceMajor: number;
  deviceMinor: number;
};

/** Files and directories by their paths. */
export interface FileCalls {
  openat2(dirfd: number, path: string, flags: number, resolve: number): number;
  /** Makes and opens a regular file with openat2; fails where one is. */
  createFile(dirfd: number, path: string, mode: number): number;
  mkdirat(dirfd: number, path: string, mode: number): void;
  mknodat(dirfd: number, path: string, mode: number, major: number, minor: number): void;
  symlinkat(target: string, dirfd: number, path: string): void;
  fchown(fd: number, uid: number, gid: number, path: string): void;
  statx(dirfd: number, path: string, flags: number): FileStatus;
  access(path: string, mode: number): void;
  chdir(path: string): void;
  fchdir(fd: number, path: string): void;
  getcwd(): string;
}

export function fileCalls({ libc, atPath, check }: Kernel): FileCalls {
  const mkdirat = libc.func('mkdirat', 'int', ['int', 'str', 'uint']);
  const symlinkat = libc.func('symlinkat', 'int', ['str', 'int', 'str']);
  const fchown = libc.func('fchown', 'int', ['int', 'uint', 'uint']);
  const statx = libc.func('statx', 'int', ['int', 'str', 'int', 'uint', 'void *']);
  const access = libc.func('access', 'int', ['str', 'int']);
  const chdir = libc.func('chdir', 'int', ['str']);
  const fchdir = libc.func('fchdir', 'int', ['int']);
  const getcwd = libc.func<string | null>('getcwd', 'str', ['void *', 'size_t']);

  const openHow = new BigUint64Array(3);
  const openHowAddress = libc.address(openHow);
  const statxBuffer = Buffer.alloc(256);
  const cwdBuffer = Buffer.alloc(4096);

  /**
   * openat2(2) with `openHow`. EAGAIN is no answer: below a root the kernel gives it for a path with
   * ".." whenever anything is mounted or renamed anywhere meanwhile, as other launches do all the time.
   */
  const openAsAsked = (dirfd: number, name: string): number => {
    for (let attempt = 1; ; attempt++) {
      const fd = atPath(SYS_openat2, dirfd, name, openHowAddress, 24, 0);
      if (fd !== -1) return fd;
      const errno = libc.errno();
      if (errno === EINTR || (errno === EAGAIN && attempt < maxOpenAttempts)) continue;
      throw syscallError(errno, 'openat2', name);
    }
  };

  return {
    openat2(dirfd, name, flags, resolve) {
      openHow[0] = BigInt(flags | O_CLOEXEC);
      openHow[1] = 0n;
      openHow[2] = BigInt(resolve);
      return openAsAsked(dirfd, name);
    },
    createFile(dirfd, name, mode) {
      openHow[0] = BigInt(O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC);
      openHow[1] = BigInt(mode);
      openHow[2] = BigInt(RESOLVE_IN_ROOT);
      return openAsAsked(dirfd, name);
    },
    mkdirat: (dirfd, name, mode) => void check('mkdirat', name, mkdirat, dirfd, name, mode),
    mknodat(dirfd, name, mode, major, minor) {
      // makedev(3), the kernel's 32-bit encoding
      const device = (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12);
      check('mknodat', name, atPath, SYS_mknodat, dirfd, name, mode, device, 0);
    },
    symlinkat: (target, dirfd, name) =>
      void check('symlinkat', name, symlinkat, target, dirfd, name),
    fchown: (fd, uid, gid, name) => void check('fchown', name, fchown, fd, uid, gid),
    statx(dirfd, name, flags) {
      check('statx', name, statx, dirfd, name, flags, STATX_MODE_AND_TYPE, statxBuffer);
      return {
        mode: statxBuffer.readUInt16LE(28),
        deviceMajor: statxBuffer.readUInt32LE(128),
        deviceMinor: statxBuffer.readUInt32LE(132),
      };
    },
    access: (name, mode) => void check('access', name, access, name, mode),
    chdir: (name) => void check('chdir', name, chdir, name),
    fchdir: (fd, name) => void check('fchdir', name, fchdir, fd),
    getcwd() {
      const cwd = getcwd(cwdBuffer, cwdBuffer.length);
      if (cwd === null) throw syscallError(libc.errno(), 'getcwd');
      return cwd;
    },
  };
}
