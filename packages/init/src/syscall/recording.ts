import { syscallError } from '@pilotlight/scm-rights';
import { S_IFCHR, S_IFDIR, S_IFREG } from './constants.ts';
import type { FileStatus, Syscall } from './syscall.ts';

export type RecordedCall = { name: keyof Syscall; args: readonly unknown[] };

/** Thrown by the double in place of an end of the process. */
export class RecordedExit extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

export type RecordingOptions = {
  /** The call that fails, by its position in the record, with EPERM. */
  failAt?: number;
  /** What the parent answers, in order. */
  packets?: readonly Uint8Array[];
  /** What is read from the init socket. */
  config?: Uint8Array;
  /** Paths that are executable files. /dev/null and standard input are the null device, all else is a directory. */
  files?: readonly string[];
};

export type RecordingSyscall = Syscall & { readonly calls: RecordedCall[] };

const EPERM = 1;

/**
 * A double that remembers every call and does none of them.
 *
 * Tests read the order from it and let any step fail; the zygote runs the whole child against it
 * once, so that all code is compiled before the first fork.
 */
export function createRecordingSyscall(options: RecordingOptions = {}): RecordingSyscall {
  const calls: RecordedCall[] = [];
  const packets = [...(options.packets ?? [])];
  const opened = new Map<number, string>([[0, '/dev/null']]);
  let nextFd = 100;

  const record = (name: keyof Syscall, args: readonly unknown[]): void => {
    calls.push({ name, args });
    if (calls.length - 1 === options.failAt) throw syscallError(EPERM, name, 'injected failure');
  };
  const nothing =
    (name: keyof Syscall) =>
    (...args: unknown[]): void =>
      record(name, args);
  const descriptor =
    (name: keyof Syscall) =>
    (...args: unknown[]): number => {
      record(name, args);
      return nextFd++;
    };

  const opening =
    (name: keyof Syscall) =>
    (...args: unknown[]): number => {
      record(name, args);
      opened.set(nextFd, String(args[1]));
      return nextFd++;
    };

  return {
    calls,
    openat2: opening('openat2'),
    createFile: descriptor('createFile'),
    mkdirat: nothing('mkdirat'),
    mknodat: nothing('mknodat'),
    symlinkat: nothing('symlinkat'),
    fchown: nothing('fchown'),
    statx(dirfd, path, flags): FileStatus {
      record('statx', [dirfd, path, flags]);
      const asked = path === '' ? (opened.get(dirfd) ?? '') : path;
      if (asked === '/dev/null') return { mode: S_IFCHR | 0o666, deviceMajor: 1, deviceMinor: 3 };
      const isFile = options.files?.includes(asked) ?? false;
      return { mode: (isFile ? S_IFREG : S_IFDIR) | 0o755, deviceMajor: 0, deviceMinor: 0 };
    },
    access: nothing('access'),
    close: nothing('close'),
    closeRange: nothing('closeRange'),
    dup3: nothing('dup3'),
    dupAbove: descriptor('dupAbove'),
    setCloseOnExec: nothing('setCloseOnExec'),
    setBlocking: nothing('setBlocking'),
    readAll(fd, path) {
      record('readAll', [fd, path]);
      return path === 'the init socket' && options.config ? options.config : new Uint8Array();
    },
    writeAll: nothing('writeAll'),
    sendPacket: nothing('sendPacket'),
    receivePacket(fd) {
      record('receivePacket', [fd]);
      return packets.shift();
    },
    sendFile: nothing('sendFile'),
    openTree: opening('openTree'),
    moveMount: nothing('moveMount'),
    mountSetattr: nothing('mountSetattr'),
    fsopen: descriptor('fsopen'),
    fsconfigFlag: nothing('fsconfigFlag'),
    fsconfigString: nothing('fsconfigString'),
    fsconfigCreate: nothing('fsconfigCreate'),
    fsmount: descriptor('fsmount'),
    umount2: nothing('umount2'),
    pivotRoot: nothing('pivotRoot'),
    chdir: nothing('chdir'),
    fchdir: nothing('fchdir'),
    getcwd() {
      record('getcwd', []);
      return '/';
    },
    setsid: nothing('setsid'),
    unshare: nothing('unshare'),
    sethostname: nothing('sethostname'),
    setdomainname: nothing('setdomainname'),
    umask: nothing('umask'),
    joinSessionKeyring: nothing('joinSessionKeyring'),
    interfaceUp: nothing('interfaceUp'),
    prlimit: nothing('prlimit'),
    setNoNewPrivileges: nothing('setNoNewPrivileges'),
    setDumpable: nothing('setDumpable'),
    setKeepCapabilities: nothing('setKeepCapabilities'),
    dropBoundingCapability: nothing('dropBoundingCapability'),
    clearAmbientCapabilities: nothing('clearAmbientCapabilities'),
    raiseAmbientCapability: nothing('raiseAmbientCapability'),
    capset: nothing('capset'),
    setgroups: nothing('setgroups'),
    setresgid: nothing('setresgid'),
    setresuid: nothing('setresuid'),
    openPtyPeer: descriptor('openPtyPeer'),
    setWindowSize: nothing('setWindowSize'),
    setControllingTerminal: nothing('setControllingTerminal'),
    resetSignals: nothing('resetSignals'),
    execve: nothing('execve'),
    exit(code): never {
      record('exit', [code]);
      throw new RecordedExit(code);
    },
  };
}
