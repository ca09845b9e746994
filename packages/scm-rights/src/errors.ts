import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

const SCM_RIGHTS_ERROR = Symbol.for('@pilotlight/scm-rights/error');
const SYSCALL_ERROR = Symbol.for('@pilotlight/scm-rights/syscall-error');

/** What every error of this package has: a stable `code` and, where something can be done, a `hint`. */
export class ScmRightsError extends Error {
  override readonly name: string = 'ScmRightsError';
  /** Stable across releases; safe to compare. */
  readonly code: string;
  /** What to do about it. */
  declare readonly hint?: string;

  constructor(code: string, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    Object.defineProperty(this, SCM_RIGHTS_ERROR, { value: true });
    this.code = code;
    if (options.hint !== undefined) this.hint = options.hint;
  }
}

/** Whether `error` comes from any copy of this package; with `code`, only if it carries that code. */
export function isScmRightsError(error: unknown, code?: string): error is ScmRightsError {
  return (
    typeof error === 'object' &&
    error !== null &&
    SCM_RIGHTS_ERROR in error &&
    (code === undefined || (error as { code?: unknown }).code === code)
  );
}

/** What a system call was about, as far as its error should tell. */
export type SyscallOperand =
  | string
  | number
  | { path?: string; dest?: string; fd?: number; pid?: number; hint?: string };

/** A system call failed. `code`, `errno`, `syscall`, `path`, `dest` and `fd` mean what they mean on Node's own errors. */
export class SyscallError extends ScmRightsError {
  override readonly name: string = 'SyscallError';
  /** Negative, as Node has it. */
  readonly errno: number;
  readonly syscall: string;
  declare readonly path?: string;
  declare readonly dest?: string;
  declare readonly fd?: number;

  constructor(errno: number, syscall: string, operand?: SyscallOperand, cause?: unknown) {
    const number = -Math.abs(errno);
    const about =
      typeof operand === 'string'
        ? { path: operand }
        : typeof operand === 'number'
          ? { fd: operand }
          : (operand ?? {});
    const [code, text] = describeErrno(number);
    const hint = about.hint ?? HINTS[`${syscall} ${code}`] ?? HINTS[code];
    super(code, `${syscall}${describeOperand(about)}: ${code} (${text})`, {
      ...(hint === undefined ? {} : { hint }),
      ...(cause === undefined ? {} : { cause }),
    });
    Object.defineProperty(this, SYSCALL_ERROR, { value: true });
    this.errno = number;
    this.syscall = syscall;
    if (about.path !== undefined) this.path = about.path;
    if (about.dest !== undefined) this.dest = about.dest;
    if (about.fd !== undefined) this.fd = about.fd;
  }
}

/** Whether `error` is a {@link SyscallError} of any copy of this package; with `code`, only if it is that errno. */
export function isSyscallError(error: unknown, code?: string): error is SyscallError {
  return (
    typeof error === 'object' &&
    error !== null &&
    SYSCALL_ERROR in error &&
    (code === undefined || (error as { code?: unknown }).code === code)
  );
}

/** Makes a {@link SyscallError}; `errno` may have either sign, a string operand is a path, a number is a descriptor. */
export function syscallError(
  errno: number,
  syscall: string,
  operand?: SyscallOperand,
): SyscallError {
  return new SyscallError(errno, syscall, operand);
}

/** Thrown when a descriptor is used after its owner closed or released it. */
export class FdClosedError extends ScmRightsError {
  override readonly name: string = 'FdClosedError';
  constructor(role: string) {
    super('ERR_SCM_FD_CLOSED', `use ${role}: its descriptor is already closed or released`, {
      hint: 'Keep the OwnedFd open until the last user of its number is done.',
    });
  }
}

/** Thrown when a value that should be a descriptor number is not one. */
export class InvalidFdError extends ScmRightsError {
  override readonly name: string = 'InvalidFdError';
  constructor(received: unknown) {
    super(
      'ERR_SCM_INVALID_FD',
      `take ${String(received)} as a descriptor: expected an integer from 0 to 2147483647`,
    );
  }
}

/** Thrown when an argument has the wrong shape or is out of its range. */
export class InvalidArgumentError extends ScmRightsError {
  override readonly name: string = 'InvalidArgumentError';
  constructor(what: string, expected: string, received: string, cause?: unknown) {
    super(
      'ERR_SCM_INVALID_ARGUMENT',
      `check ${what}: expected ${expected}, received ${received}`,
      cause === undefined ? {} : { cause },
    );
  }
}

/** Thrown when a string would not reach the kernel as it is written: it holds a NUL byte or a lone surrogate. */
export class InvalidStringError extends ScmRightsError {
  override readonly name: string = 'InvalidStringError';
  constructor(what: string, value: string, reason: string) {
    super(
      'ERR_SCM_INVALID_STRING',
      `pass ${what} ${JSON.stringify(value.slice(0, 100))} to the kernel: it ${reason}`,
    );
  }
}

/** Thrown when the machine is not Linux on x86-64 or arm64. */
export class UnsupportedPlatformError extends ScmRightsError {
  override readonly name: string = 'UnsupportedPlatformError';
  constructor(platform: string, arch: string) {
    super('ERR_SCM_UNSUPPORTED_PLATFORM', `load libc on ${platform} ${arch}: not supported`, {
      hint: 'Use Linux on x86-64 or arm64.',
    });
  }
}

/** Thrown when koffi or libc could not be loaded; `cause` has the loader's error. */
export class LibcLoadError extends ScmRightsError {
  override readonly name: string = 'LibcLoadError';
  constructor(what: string, cause: unknown) {
    super('ERR_SCM_LIBC_LOAD', `load ${what}: ${messageOf(cause)}`, {
      hint: 'Install koffi together with its optional platform package, or pass the path of koffi.node.',
      cause,
    });
  }
}

/** Thrown when a shared library, or a function of it, could not be loaded; `cause` has the loader's error. */
export class LibraryLoadError extends ScmRightsError {
  override readonly name: string = 'LibraryLoadError';
  /** The file name that was asked for, such as `libseccomp.so.2`. */
  readonly library: string;
  constructor(library: string, what: string, cause: unknown) {
    super('ERR_SCM_LIBRARY_LOAD', `load ${what}: ${messageOf(cause)}`, {
      hint: `Install the package that has ${library}, in a version that has what is missing, for the libc of this Node.`,
      cause,
    });
    this.library = library;
  }
}

/** Thrown when the kernel dropped descriptors of a message (MSG_CTRUNC); those that did arrive are closed. */
export class ControlTruncatedError extends ScmRightsError {
  override readonly name: string = 'ControlTruncatedError';
  /** How many descriptors arrived and were closed. */
  readonly received: number;
  constructor(fd: number, received: number, maxFds: number) {
    super(
      'ERR_SCM_CONTROL_TRUNCATED',
      `receive descriptors on fd ${fd}: some were lost; ${received} arrived and were closed, room was for ${maxFds}`,
      { hint: 'Allow more descriptors per message (maxFds), or raise RLIMIT_NOFILE.' },
    );
    this.received = received;
  }
}

/** Thrown when a packet arrived cut, which happens only if somebody else reads from the same socket. */
export class PacketTruncatedError extends ScmRightsError {
  override readonly name: string = 'PacketTruncatedError';
  constructor(fd: number, expected: number, received: number) {
    super(
      'ERR_SCM_PACKET_TRUNCATED',
      `receive a packet on fd ${fd}: expected ${expected} bytes, received ${received}`,
      { hint: 'Let one reader at a time use this socket.' },
    );
  }
}

/** Thrown before sending more descriptors than one message can carry. */
export class TooManyFdsError extends ScmRightsError {
  override readonly name: string = 'TooManyFdsError';
  constructor(count: number, limit: number) {
    super(
      'ERR_SCM_TOO_MANY_FDS',
      `send ${count} descriptors in one message: the kernel allows ${limit}`,
      { hint: 'Send several messages; see unix(7), SCM_RIGHTS.' },
    );
  }
}

/** Thrown before sending a packet of no bytes, which a reader could not tell from end of file. */
export class EmptyPacketError extends ScmRightsError {
  override readonly name: string = 'EmptyPacketError';
  constructor(fd: number) {
    super('ERR_SCM_EMPTY_PACKET', `send a packet on fd ${fd}: it has no bytes`, {
      hint: 'Send at least one byte, also when descriptors are attached.',
    });
  }
}

/** Thrown when a packet does not fit the socket's send buffer (EMSGSIZE). */
export class PacketTooLargeError extends ScmRightsError {
  override readonly name: string = 'PacketTooLargeError';
  readonly size: number;
  constructor(fd: number, size: number, cause?: unknown) {
    super(
      'ERR_SCM_PACKET_TOO_LARGE',
      `send a packet of ${size} bytes on fd ${fd}: it does not fit the send buffer`,
      {
        hint: 'Pass a memfd instead, or raise SO_SNDBUF.',
        ...(cause === undefined ? {} : { cause }),
      },
    );
    this.size = size;
  }
}

/** Thrown when a socket of ours is used after, or while it is waiting when, it is closed. */
export class SocketClosedError extends ScmRightsError {
  override readonly name: string = 'SocketClosedError';
  constructor(what: string) {
    super('ERR_SCM_SOCKET_CLOSED', `${what}: the socket was closed on this side`);
  }
}

/** Thrown when a descriptor is a socket of another kind than what it is to be used for. */
export class SocketTypeError extends ScmRightsError {
  override readonly name: string = 'SocketTypeError';
  constructor(fd: number, expected: string, received: string, what = 'packet socket') {
    super(
      'ERR_SCM_SOCKET_TYPE',
      `use fd ${fd} as ${what}: expected ${expected}, received ${received}`,
    );
  }
}

/** Thrown when a socket address is empty or longer than `struct sockaddr_un` can hold. */
export class SocketAddressError extends ScmRightsError {
  override readonly name: string = 'SocketAddressError';
  /** Bytes of the path, or of the abstract name without its marker. */
  readonly size: number;
  constructor(address: string, size: number, limit: number) {
    super(
      'ERR_SCM_SOCKET_ADDRESS',
      `use ${JSON.stringify(address.slice(0, 200))} as socket address: it has ${size} bytes, 1 to ${limit} are possible`,
      { hint: 'Choose a shorter path; /proc/self/fd/N/name reaches into a directory opened as N.' },
    );
    this.size = size;
  }
}

/** Thrown when the peer ended in the middle of something that has two packets, or where a file had to come. */
export class UnexpectedEofError extends ScmRightsError {
  override readonly name: string = 'UnexpectedEofError';
  constructor(fd: number, awaited: string) {
    super('ERR_SCM_UNEXPECTED_EOF', `receive ${awaited} on fd ${fd}: the peer closed the socket`);
  }
}

/** Thrown when a message carried another number of descriptors than agreed; all of them are closed. */
export class UnexpectedFdsError extends ScmRightsError {
  override readonly name: string = 'UnexpectedFdsError';
  constructor(what: string, expected: number, received: number) {
    super(
      'ERR_SCM_UNEXPECTED_FDS',
      `receive ${what}: expected ${expected} descriptors, received ${received}, all closed`,
    );
  }
}

/** Thrown when the name that goes with a file is 4096 bytes or longer. */
export class FileNameTooLongError extends ScmRightsError {
  override readonly name: string = 'FileNameTooLongError';
  constructor(action: 'send' | 'receive', length: number, limit: number) {
    super(
      'ERR_SCM_FILE_NAME_TOO_LONG',
      `${action} a file: its name has ${length} bytes, fewer than ${limit} are allowed`,
    );
  }
}

/** Thrown when the descriptor that came over a console socket is no terminal; it is closed. */
export class NotATerminalError extends ScmRightsError {
  override readonly name: string = 'NotATerminalError';
  constructor(fileName: string, cause: unknown) {
    super(
      'ERR_SCM_NOT_A_TERMINAL',
      `receive a console: ${JSON.stringify(fileName.slice(0, 100))} is not a terminal`,
      { cause },
    );
  }
}

/** Thrown when a variable of the environment does not have the form its protocol lays down. */
export class EnvironmentError extends ScmRightsError {
  override readonly name: string = 'EnvironmentError';
  constructor(variable: string, expected: string, received: string) {
    super(
      'ERR_SCM_ENVIRONMENT',
      `read ${variable} from the environment: expected ${expected}, received ${JSON.stringify(received.slice(0, 200))}`,
    );
  }
}

/** Thrown when a file lock was not free within its deadline. */
export class LockTimeoutError extends ScmRightsError {
  override readonly name: string = 'LockTimeoutError';
  constructor(operand: string, kind: string, deadlineMs: number) {
    super(
      'ERR_SCM_LOCK_TIMEOUT',
      `take the ${kind} lock on ${operand}: still held by another after ${deadlineMs} ms`,
      { hint: 'See /proc/locks for the holder, or allow a longer deadlineMs.' },
    );
  }
}

/** Thrown when a path cannot take a pin because something else is there. */
export class PinPathError extends ScmRightsError {
  override readonly name: string = 'PinPathError';
  constructor(path: string, reason: string) {
    super('ERR_SCM_PIN_PATH', `pin a pidfd at ${path}: ${reason}`, {
      hint: 'Give the path of an empty regular file, or of nothing at all.',
    });
  }
}

/** A descriptor that was left open, as far as it is known. */
export interface LeakedFd {
  fd: number;
  /** What it refers to, such as `socket:[4711]`. */
  target?: string;
  /** What its OwnedFd is called; absent if the number has no owner of ours. */
  role?: string;
  /** The stack of the call that opened or received it. */
  stack?: string;
}

/** Thrown by the test helpers when code left descriptors open behind it. */
export class FdLeakError extends ScmRightsError {
  override readonly name: string = 'FdLeakError';
  readonly leaked: readonly LeakedFd[];
  constructor(leaked: readonly LeakedFd[]) {
    const list = leaked.map(({ fd, target, role, stack }) =>
      [
        `${fd}${target === undefined ? '' : ` (${target})`}`,
        ...(role === undefined ? [] : [role]),
        ...(stack === undefined ? [] : [`from\n${firstFrames(stack)}\n`]),
      ].join(', '),
    );
    super('ERR_SCM_FD_LEAK', `count open descriptors: left open are ${list.join('; ')}`);
    this.leaked = leaked;
  }
}

/** Enough of a stack for a message; the rest is in the error's own fields. */
function firstFrames(stack: string): string {
  return stack.split('\n').slice(0, 5).join('\n');
}

const ERRNO_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno)
    // Two names, one number: the first is the one the manual pages prefer.
    .filter(([name]) => name !== 'EWOULDBLOCK' && name !== 'EOPNOTSUPP')
    .map(([name, number]) => [-number, name]),
);

/** Numbers of Linux that Node has no name or no text for (errno(3)). */
const LINUX_ERRNO: ReadonlyMap<number, readonly [string, string]> = new Map([
  [-10, ['ECHILD', 'no child processes']],
  [-15, ['ENOTBLK', 'block device required']],
  [-35, ['EDEADLK', 'resource deadlock would occur']],
  [-37, ['ENOLCK', 'no locks available']],
  [-62, ['ETIME', 'timer expired']],
  [-66, ['EREMOTE', 'object is remote']],
  [-87, ['EUSERS', 'too many users']],
  [-109, ['ETOOMANYREFS', 'too many references: cannot splice']],
  [-116, ['ESTALE', 'stale file handle']],
  [-122, ['EDQUOT', 'disk quota exceeded']],
  [-125, ['ECANCELED', 'operation canceled']],
]);

const MOUNT_HINT =
  'Give the process CAP_SYS_ADMIN in the user namespace that owns its mount namespace.';

/** By call and errno, or by errno alone. */
const HINTS: Readonly<Record<string, string>> = {
  'bind EADDRINUSE':
    'Somebody listens there, or left the file: remove it if connecting is refused.',
  'connect ECONNREFUSED':
    'Nobody listens there any more, or not yet; a left-over file can be removed.',
  'getsockopt SO_PEERPIDFD ENOPROTOOPT':
    'SO_PEERPIDFD exists since Linux 6.5; use peerCredentials and pidfdOpen.',
  'pidfd_getfd EPERM': 'The process must be one that this process may trace; see ptrace(2).',
  'open_tree EPERM': MOUNT_HINT,
  'move_mount EPERM': MOUNT_HINT,
  'mount_setattr EPERM': MOUNT_HINT,
  'umount2 EPERM': MOUNT_HINT,
  'open_tree EINVAL': 'A pidfd can be mounted since Linux 6.14.',
  'waitid ECHILD':
    'Only the parent can wait; others read the status with pidfdInfo, since Linux 6.15.',
  EMFILE: 'Close descriptors or raise RLIMIT_NOFILE.',
  ETOOMANYREFS:
    'Too many descriptors are in flight for this user: let receivers catch up, or raise RLIMIT_NOFILE.',
  ENOSYS: 'The kernel is too old for this call, or a seccomp filter hides it.',
};

function describeErrno(errno: number): readonly [string, string] {
  return (
    LINUX_ERRNO.get(errno) ??
    getSystemErrorMap().get(errno) ?? [
      ERRNO_NAMES.get(errno) ?? `E${-errno}`,
      `system error ${-errno}`,
    ]
  );
}

function describeOperand(about: {
  path?: string;
  dest?: string;
  fd?: number;
  pid?: number;
}): string {
  let text = '';
  if (about.fd !== undefined) text += ` fd ${about.fd}`;
  if (about.pid !== undefined) text += ` pid ${about.pid}`;
  if (about.path !== undefined) text += ` ${about.path}`;
  if (about.dest !== undefined) text += ` to ${about.dest}`;
  return text;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
