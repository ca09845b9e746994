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
  /** Paths that are executable files. The default devices are such, and so is standard input; all else is a directory. */
  files?: readonly string[];
};

export type RecordingSyscall = Syscall & { readonly calls: RecordedCall[] };

const EPERM = 1;
const PROC_SUPER_MAGIC = 0x9fa0;
const SPAWNED_PID = 42;

/** What is a character device, wherever it is asked for. */
const devices: ReadonlyMap<string, readonly [major: number, minor: number]> = new Map([
  ['/dev/null', [1, 3]],
  ['/dev/zero', [1, 5]],
  ['/dev/full', [1, 7]],
  ['/dev/random', [1, 8]],
  ['/dev/urandom', [1, 9]],
  ['/dev/tty', [5, 0]],
  ['/dev/ptmx', [5, 2]],
]);

/** Calls that return nothing, by the file in calls/ that declares them. */
const silentCalls = [
  // credentials
  'joinSessionKeyring',
  'setNoNewPrivileges',
  'setDumpable',
  'setKeepCapabilities',
  'dropBoundingCapability',
  'clearAmbientCapabilities',
  'raiseAmbientCapability',
  'capset',
  'setgroups',
  'setresgid',
  'setresuid',
  // descriptors
  'close',
  'closeRange',
  'dup3',
  'setCloseOnExec',
  'setBlocking',
  'writeAll',
  'sendPacket',
  'sendFile',
  // files
  'mkdirat',
  'mknodat',
  'symlinkat',
  'fchown',
  'access',
  'chdir',
  'fchdir',
  // mounts
  'moveMount',
  'mountSetattr',
  'fsconfigFlag',
  'fsconfigString',
  'fsconfigCreate',
  'umount2',
  'pivotRoot',
  'fsconfigFd',
  'mountOnWorkingDirectory',
  'chroot',
  // namespaces
  'unshare',
  'setns',
  'sethostname',
  'setdomainname',
  'interfaceUp',
  // netlink
  'routeRequest',
  // process
  'setsid',
  'umask',
  'prlimit',
  'resetSignals',
  'execve',
  // scheduling
  'schedSetattr',
  'schedSetaffinity',
  'ioprioSet',
  'personality',
  'setMempolicy',
  // seccomp
  'setSeccompFilter',
  'setSeccompListener',
  // spawn
  'killGroup',
  // terminal
  'setWindowSize',
  'setControllingTerminal',
  // trees
  'unlinkat',
  'chownFile',
  'chmodFile',
  'copyContents',
] as const satisfies readonly (keyof Syscall)[];

/** Calls that return a descriptor that has no path. */
const descriptorCalls = [
  'dupAbove',
  'createFile',
  'fsopen',
  'fsmount',
  'openPtyPeer',
  'memoryFile',
  'pidfdOpen',
] as const satisfies readonly (keyof Syscall)[];

/** Calls that return a descriptor of the path that is their second operand. */
const openingCalls = ['openat2', 'openTree'] as const satisfies readonly (keyof Syscall)[];

type Plain =
  | (typeof silentCalls)[number]
  | (typeof descriptorCalls)[number]
  | (typeof openingCalls)[number];

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
  const plain: Partial<Record<keyof Syscall, (...args: unknown[]) => unknown>> = {};
  for (const name of silentCalls) plain[name] = (...args) => record(name, args);
  for (const name of descriptorCalls) {
    plain[name] = (...args) => {
      record(name, args);
      return nextFd++;
    };
  }
  for (const name of openingCalls) {
    plain[name] = (...args) => {
      record(name, args);
      opened.set(nextFd, String(args[1]));
      return nextFd++;
    };
  }

  return {
    calls,
    ...(plain as Pick<Syscall, Plain>),
    statx(dirfd, path, flags): FileStatus {
      record('statx', [dirfd, path, flags]);
      const asked = path === '' ? (opened.get(dirfd) ?? '') : path;
      const device = devices.get(asked);
      if (device !== undefined) {
        return { mode: S_IFCHR | 0o666, deviceMajor: device[0], deviceMinor: device[1] };
      }
      const isFile = options.files?.includes(asked) ?? false;
      return { mode: (isFile ? S_IFREG : S_IFDIR) | 0o755, deviceMajor: 0, deviceMinor: 0 };
    },
    isMountRoot(fd) {
      record('isMountRoot', [fd]);
      return true;
    },
    mountId(fd) {
      record('mountId', [fd]);
      return 0;
    },
    filesystemType(fd, path) {
      record('filesystemType', [fd, path]);
      return opened.get(fd) === '/proc' ? PROC_SUPER_MAGIC : 0;
    },
    readlinkat(dirfd, name) {
      record('readlinkat', [dirfd, name]);
      return '';
    },
    ownerOf(fd, path) {
      record('ownerOf', [fd, path]);
      return { uid: 0, gid: 0 };
    },
    readDirectory(fd, path) {
      record('readDirectory', [fd, path]);
      return [];
    },
    interfaceIndex(name) {
      record('interfaceIndex', [name]);
      return 2;
    },
    isDumpable() {
      record('isDumpable', []);
      return true;
    },
    getcwd() {
      record('getcwd', []);
      return '/';
    },
    readAll(fd, path) {
      record('readAll', [fd, path]);
      return path === 'the init socket' && options.config ? options.config : new Uint8Array();
    },
    readStart(fd, maxBytes, path) {
      record('readStart', [fd, maxBytes, path]);
      return new Uint8Array();
    },
    receivePacket(fd) {
      record('receivePacket', [fd]);
      return packets.shift();
    },
    receiveFile(fd) {
      record('receiveFile', [fd]);
      return { name: '', fd: nextFd++ };
    },
    getpid() {
      record('getpid', []);
      return 1;
    },
    pipe() {
      record('pipe', []);
      return { reader: nextFd++, writer: nextFd++ };
    },
    spawn(path, args, env, stdin, output) {
      record('spawn', [path, args, env, stdin, output]);
      return SPAWNED_PID;
    },
    pollSpawned(pidfd, output, peer, timeoutMs) {
      record('pollSpawned', [pidfd, output, peer, timeoutMs]);
      return { ended: true, readable: true, hungUp: false };
    },
    readAvailable(fd, path) {
      record('readAvailable', [fd, path]);
      return undefined;
    },
    waitSpawned(pidfd) {
      record('waitSpawned', [pidfd]);
      return { code: 0 };
    },
    monotonicMs() {
      record('monotonicMs', []);
      return 0;
    },
    preparedExecve(path, args, env) {
      return () => record('execve', [path, args, env]);
    },
    exit(code): never {
      record('exit', [code]);
      throw new RecordedExit(code);
    },
  };
}
