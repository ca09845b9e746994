import {
  type Libc,
  type LibcArgument,
  type LibcFunction,
  loadLibc,
  sendFileBlocking,
} from '@pilotlight/scm-rights/libc';
import { type SyscallOperand, syscallError } from '@pilotlight/scm-rights';
import { O_CLOEXEC, O_RDWR, RESOLVE_IN_ROOT } from './constants.ts';
import {
  SYS_capset,
  SYS_close_range,
  SYS_fsconfig,
  SYS_fsmount,
  SYS_fsopen,
  SYS_keyctl,
  SYS_mknodat,
  SYS_mount_setattr,
  SYS_move_mount,
  SYS_open_tree,
  SYS_openat2,
  SYS_pivot_root,
  SYS_prctl,
  SYS_setgroups,
  SYS_setresgid,
  SYS_setresuid,
} from './number.ts';
import type { Syscall } from './syscall.ts';

const EINTR = 4;
const EAGAIN = 11;
const maxOpenAttempts = 1000;
const O_CREAT = 0o100;
const O_EXCL = 0o200;

// fsconfig(2)
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const MOVE_MOUNT_EMPTY_PATHS = 0x4 | 0x40;

// prctl(2)
const PR_SET_DUMPABLE = 4;
const PR_SET_KEEPCAPS = 8;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const LINUX_CAPABILITY_VERSION_3 = 0x2008_0522;

const KEYCTL_JOIN_SESSION_KEYRING = 1;

// ioctl(2)
const TIOCSPTLCK = 0x4004_5431;
const TIOCGPTPEER = 0x5441;
const TIOCSWINSZ = 0x5414;
const TIOCSCTTY = 0x540e;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | O_CLOEXEC;

const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;
const F_DUPFD_CLOEXEC = 1030;
const SIG_SETMASK = 2;
const SIGPIPE = 13;
const SIGXFSZ = 25;
const STATX_MODE_AND_TYPE = 0x3;
const maxPacketBytes = 256 * 1024;

/**
 * The kernel calls, made through libc.
 *
 * Everything is declared and every buffer allocated here, once, before the first fork: a child
 * that had to do so would pay for it in page faults.
 */
export function createLinuxSyscall(libc: Libc = loadLibc()): Syscall {
  const raw = (...params: string[]): LibcFunction =>
    libc.func('syscall', 'long', ['long', ...params]);
  const integers = raw('long', 'long', 'long', 'long', 'long');
  const atPath = raw('long', 'str', 'long', 'long', 'long');
  const path = raw('str', 'long', 'long', 'long', 'long');
  const twoPaths = raw('str', 'str', 'long', 'long', 'long');
  const moveMount = raw('long', 'str', 'long', 'str', 'long');
  const capset = raw('void *', 'void *', 'long', 'long', 'long');
  const keyctl = raw('long', 'str', 'long', 'long', 'long');
  const fsconfig = raw('long', 'long', 'str', 'str', 'long');

  const mkdirat = libc.func('mkdirat', 'int', ['int', 'str', 'uint']);
  const symlinkat = libc.func('symlinkat', 'int', ['str', 'int', 'str']);
  const fchown = libc.func('fchown', 'int', ['int', 'uint', 'uint']);
  const statx = libc.func('statx', 'int', ['int', 'str', 'int', 'uint', 'void *']);
  const access = libc.func('access', 'int', ['str', 'int']);
  const close = libc.func('close', 'int', ['int']);
  const dup3 = libc.func('dup3', 'int', ['int', 'int', 'int']);
  const fcntl = libc.func('fcntl', 'int', ['int', 'int', 'long']);
  const read = libc.func('read', 'long', ['int', 'void *', 'size_t']);
  const write = libc.func('write', 'long', ['int', 'void *', 'size_t']);
  const send = libc.func('send', 'long', ['int', 'void *', 'size_t', 'int']);
  const recv = libc.func('recv', 'long', ['int', 'void *', 'size_t', 'int']);
  const umount2 = libc.func('umount2', 'int', ['str', 'int']);
  const chdir = libc.func('chdir', 'int', ['str']);
  const fchdir = libc.func('fchdir', 'int', ['int']);
  const getcwd = libc.func<string | null>('getcwd', 'str', ['void *', 'size_t']);
  const setsid = libc.func('setsid', 'int', []);
  const unshare = libc.func('unshare', 'int', ['int']);
  const sethostname = libc.func('sethostname', 'int', ['str', 'size_t']);
  const setdomainname = libc.func('setdomainname', 'int', ['str', 'size_t']);
  const umask = libc.func('umask', 'uint', ['uint']);
  const socket = libc.func('socket', 'int', ['int', 'int', 'int']);
  const ioctl = libc.func('ioctl', 'int', ['int', 'ulong', 'void *']);
  const ioctlInteger = libc.func('ioctl', 'int', ['int', 'ulong', 'long']);
  const prlimit = libc.func('prlimit', 'int', ['int', 'int', 'void *', 'void *']);
  const signal = libc.func<bigint>('signal', 'void *', ['int', 'long']);
  const sigprocmask = libc.func('sigprocmask', 'int', ['int', 'void *', 'void *']);
  const execve = libc.func('execve', 'int', ['str', 'char **', 'char **']);
  const exit = libc.func('_exit', 'void', ['int']);

  const openHow = new BigUint64Array(3);
  const openHowAddress = libc.address(openHow);
  const mountAttr = new BigUint64Array(4);
  const mountAttrAddress = libc.address(mountAttr);
  const statxBuffer = Buffer.alloc(256);
  const rlimit = new BigUint64Array(2);
  const capHeader = new Uint32Array([LINUX_CAPABILITY_VERSION_3, 0]);
  const capData = new Uint32Array(6);
  const integerBuffer = new Int32Array(1);
  const winsize = new Uint16Array(4);
  const ifreq = Buffer.alloc(40);
  const emptySignalSet = Buffer.alloc(128);
  const chunk = Buffer.alloc(maxPacketBytes);
  const cwdBuffer = Buffer.alloc(4096);

  /** Calls until it is not interrupted; errno is read with nothing in between. */
  const check = (
    name: string,
    operand: SyscallOperand | undefined,
    call: LibcFunction,
    ...args: LibcArgument[]
  ): number => {
    for (;;) {
      const result = call(...args);
      if (result !== -1) return result;
      const errno = libc.errno();
      if (errno !== EINTR) throw syscallError(errno, name, operand);
    }
  };

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

  const prctl = (what: string, ...args: number[]): void => {
    check('prctl', what, integers, SYS_prctl, args[0] ?? 0, args[1] ?? 0, args[2] ?? 0, 0, 0);
  };

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

  const sys: Syscall = {
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
    close: (fd) => void check('close', fd, close, fd),
    closeRange(first, flags) {
      check('close_range', first, integers, SYS_close_range, first, 0xffff_ffff, flags, 0, 0);
    },
    dup3: (oldfd, newfd, flags) => void check('dup3', oldfd, dup3, oldfd, newfd, flags),
    dupAbove: (fd, least) => check('fcntl', fd, fcntl, fd, F_DUPFD_CLOEXEC, least),
    setCloseOnExec: (fd, on) => void check('fcntl', fd, fcntl, fd, F_SETFD, on ? 1 : 0),
    setBlocking(fd) {
      const flags = check('fcntl', fd, fcntl, fd, F_GETFL, 0);
      if ((flags & O_NONBLOCK) !== 0) check('fcntl', fd, fcntl, fd, F_SETFL, flags & ~O_NONBLOCK);
    },
    readAll(fd, name) {
      const parts: Uint8Array[] = [];
      for (;;) {
        const size = check('read', name, read, fd, chunk, chunk.length);
        if (size === 0) return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
        parts.push(Uint8Array.prototype.slice.call(chunk, 0, size));
      }
    },
    writeAll(fd, bytes, name) {
      for (let rest = bytes; rest.length > 0;) {
        rest = rest.subarray(check('write', name, write, fd, rest, rest.length));
      }
    },
    sendPacket(fd, bytes) {
      const MSG_NOSIGNAL = 0x4000;
      check('send', 'the sync socket', send, fd, bytes, bytes.length, MSG_NOSIGNAL);
    },
    receivePacket(fd) {
      const size = check('recv', 'the sync socket', recv, fd, chunk, chunk.length, 0);
      return size === 0 ? undefined : Uint8Array.prototype.slice.call(chunk, 0, size);
    },
    sendFile: (socketFd, name, fd) => sendFileBlocking(socketFd, name, fd),

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
    chdir: (name) => void check('chdir', name, chdir, name),
    fchdir: (fd, name) => void check('fchdir', name, fchdir, fd),
    getcwd() {
      const cwd = getcwd(cwdBuffer, cwdBuffer.length);
      if (cwd === null) throw syscallError(libc.errno(), 'getcwd');
      return cwd;
    },

    setsid: () => void check('setsid', undefined, setsid),
    unshare: (flags) => void check('unshare', undefined, unshare, flags),
    sethostname: (name) =>
      void check('sethostname', name, sethostname, name, Buffer.byteLength(name)),
    setdomainname: (name) =>
      void check('setdomainname', name, setdomainname, name, Buffer.byteLength(name)),
    umask: (mask) => void umask(mask),
    joinSessionKeyring(name) {
      check('keyctl', name, keyctl, SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0);
    },
    interfaceUp(name) {
      const fd = check('socket', name, socket, AF_INET, SOCK_DGRAM_CLOEXEC, 0);
      ifreq.fill(0);
      ifreq.write(name, 0, 15, 'utf8');
      check('ioctl', name, ioctl, fd, SIOCGIFFLAGS, ifreq);
      ifreq.writeInt16LE(ifreq.readInt16LE(16) | IFF_UP, 16);
      check('ioctl', name, ioctl, fd, SIOCSIFFLAGS, ifreq);
      check('close', fd, close, fd);
    },
    prlimit(resource, soft, hard) {
      rlimit[0] = soft;
      rlimit[1] = hard;
      check('prlimit', `resource ${resource}`, prlimit, 0, resource, rlimit, null);
    },

    setNoNewPrivileges: () => prctl('PR_SET_NO_NEW_PRIVS', PR_SET_NO_NEW_PRIVS, 1),
    setDumpable: (on) => prctl('PR_SET_DUMPABLE', PR_SET_DUMPABLE, on ? 1 : 0),
    setKeepCapabilities: (on) => prctl('PR_SET_KEEPCAPS', PR_SET_KEEPCAPS, on ? 1 : 0),
    dropBoundingCapability: (capability) =>
      prctl(`PR_CAPBSET_DROP ${capability}`, PR_CAPBSET_DROP, capability),
    clearAmbientCapabilities: () =>
      prctl('PR_CAP_AMBIENT_CLEAR_ALL', PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL),
    raiseAmbientCapability: (capability) =>
      prctl(`PR_CAP_AMBIENT_RAISE ${capability}`, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability),
    capset({ effective, permitted, inheritable }) {
      for (const [index, mask] of [effective, permitted, inheritable].entries()) {
        capData[index] = Number(mask & 0xffff_ffffn);
        capData[index + 3] = Number(mask >> 32n);
      }
      check('capset', undefined, capset, SYS_capset, capHeader, capData, 0, 0, 0);
    },
    setgroups(gids) {
      const list = new Uint32Array(gids);
      const address = gids.length === 0 ? 0 : libc.address(list);
      check('setgroups', undefined, integers, SYS_setgroups, gids.length, address, 0, 0, 0);
    },
    setresgid: (gid) =>
      void check('setresgid', `gid ${gid}`, integers, SYS_setresgid, gid, gid, gid, 0, 0),
    setresuid: (uid) =>
      void check('setresuid', `uid ${uid}`, integers, SYS_setresuid, uid, uid, uid, 0, 0),

    openPtyPeer(master) {
      integerBuffer[0] = 0;
      check('ioctl', 'TIOCSPTLCK', ioctl, master, TIOCSPTLCK, integerBuffer);
      const O_NOCTTY = 0o400;
      const flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
      return check('ioctl', 'TIOCGPTPEER', ioctlInteger, master, TIOCGPTPEER, flags);
    },
    setWindowSize(fd, height, width) {
      winsize[0] = height;
      winsize[1] = width;
      check('ioctl', 'TIOCSWINSZ', ioctl, fd, TIOCSWINSZ, winsize);
    },
    setControllingTerminal: (fd) =>
      void check('ioctl', 'TIOCSCTTY', ioctlInteger, fd, TIOCSCTTY, 0),

    resetSignals() {
      signal(SIGPIPE, 0);
      signal(SIGXFSZ, 0);
      check('sigprocmask', undefined, sigprocmask, SIG_SETMASK, emptySignalSet, null);
    },
    execve(name, args, env) {
      // The C arrays end with a null of their own.
      const argv = [...args, null] as unknown as LibcArgument;
      const envp = [...env, null] as unknown as LibcArgument;
      execve(name, argv, envp);
      throw syscallError(libc.errno(), 'execve', name);
    },
    exit(code): never {
      exit(code);
      throw new Error('_exit returned');
    },
  };
  return sys;
}
