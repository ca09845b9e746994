import type { WaitStatus } from '@pilotlight/scm-rights';

const launchErrorMark = Symbol.for('@pilotlight/init.LaunchError');

type InitErrorOptions = { cause?: unknown; hint?: string };

/** The base of this package's own errors: a stable `code`, and a `hint` that says what to do. */
export class InitPackageError extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, { cause, hint }: InitErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = hint;
  }
}

/** Thrown when `config.json` cannot be read, is not JSON, or breaks a rule of the specification. */
export class InvalidConfigError extends InitPackageError {
  /** Where in the configuration, for example `process.rlimits[0].soft`; empty for the whole. */
  readonly field: string;

  constructor(field: string, message: string, options?: InitErrorOptions) {
    super('ERR_INIT_INVALID_CONFIG', message, options);
    this.field = field;
  }
}

/** Thrown when a valid configuration asks for something that this version would have to ignore. */
export class UnsupportedConfigError extends InitPackageError {
  readonly field: string;
  /** Further fields that would be refused after this one. */
  readonly others: readonly string[];

  constructor(
    field: string,
    reason: string,
    others: readonly string[] = [],
    options: InitErrorOptions = {},
  ) {
    const more =
      others.length === 0 ? '' : ` (and ${others.length} more: ${others.slice(0, 5).join(', ')})`;
    super('ERR_INIT_UNSUPPORTED_CONFIG', `${field} is not supported: ${reason}${more}`, {
      hint: `Remove ${field} from the configuration, or run this bundle with a runtime that honours it.`,
      ...options,
    });
    this.field = field;
    this.others = others;
  }
}

/** What is known of a failed launch; every part is data, the message is made from it. */
export type LaunchFailure = {
  /** The step that failed, one of the names in child/stages.ts or a step of the parent. */
  step: string;
  message: string;
  syscall?: string;
  /** Negative, as Node has it. */
  errno?: number;
  /** The errno's name, for example `ENOENT`. */
  errnoCode?: string;
  path?: string;
  /** Index in the list of the configuration that the step works on, for example of `mounts`. */
  index?: number;
  hint?: string;
  /** See LaunchError. */
  transcript?: readonly string[];
  cause?: unknown;
};

/** What a failed system call tells of itself, ours or one of Node's own: the `cause` with its parts. */
export function causedBy(
  cause: unknown,
): Pick<LaunchFailure, 'cause' | 'syscall' | 'errno' | 'errnoCode'> {
  const { syscall, errno, code } = cause as NodeJS.ErrnoException;
  return {
    cause,
    ...(syscall === undefined ? {} : { syscall }),
    ...(errno === undefined ? {} : { errno }),
    // Other errors have a code as well, of the form ERR_….
    ...(code === undefined || code.includes('_') ? {} : { errnoCode: code }),
  };
}

/**
 * Thrown when a launch fails after its configuration was accepted. Nothing of it is left behind.
 *
 * The message says what was attempted on what and why it failed. The hint says what to do; where
 * something of the host explains the failure, such as a sysctl, it says that.
 */
export class LaunchError extends InitPackageError {
  readonly step: string;
  readonly syscall: string | undefined;
  readonly errno: number | undefined;
  readonly errnoCode: string | undefined;
  readonly path: string | undefined;
  readonly index: number | undefined;
  /**
   * The handshake with the child as JSON lines, see `@pilotlight/sync/transcript`; empty where
   * there was none. The config, which may hold secrets, is not part of it. Not enumerable.
   */
  declare readonly transcript: readonly string[];

  constructor(failure: LaunchFailure) {
    super('ERR_INIT_LAUNCH', failure.message, {
      ...(failure.cause === undefined ? {} : { cause: failure.cause }),
      ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    });
    Object.defineProperty(this, launchErrorMark, { value: true });
    // Hidden from console.log, which shows the message and the hint; they say it better.
    Object.defineProperty(this, 'transcript', { value: failure.transcript ?? [], writable: true });
    this.step = failure.step;
    this.syscall = failure.syscall;
    this.errno = failure.errno;
    this.errnoCode = failure.errnoCode;
    this.path = failure.path;
    this.index = failure.index;
  }

  /** Everything as plain data, for JSON.stringify; what is not known is left out. */
  toJSON(): LaunchErrorJson {
    const { name, code, message, step, syscall, errno, errnoCode, path, index, hint } = this;
    const known = { syscall, errno, errnoCode, path, index, hint };
    return {
      name,
      code,
      message,
      step,
      ...(Object.fromEntries(
        Object.entries(known).filter(([, value]) => value !== undefined),
      ) as Partial<LaunchErrorJson>),
      ...(this.cause === undefined ? {} : { cause: messageOf(this.cause) }),
      transcript: [...this.transcript],
    };
  }
}

/** A LaunchError without its class. */
export type LaunchErrorJson = {
  name: string;
  code: string;
  message: string;
  step: string;
  syscall?: string;
  errno?: number;
  errnoCode?: string;
  path?: string;
  index?: number;
  hint?: string;
  /** The message of the error below. */
  cause?: string;
  transcript: string[];
};

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** Whether `error` is a LaunchError of any copy of this package. */
export function isLaunchError(error: unknown): error is LaunchError {
  return typeof error === 'object' && error !== null && launchErrorMark in error;
}

/** Thrown when something cannot be done to a cgroup. In a launch the same is a LaunchError. */
export class CgroupError extends InitPackageError {
  /** Where in the configuration it comes from, for example `linux.resources.memory.limit`; empty for an operation. */
  readonly field: string;
  /** The control file or the directory. */
  readonly path: string;
  readonly syscall: string | undefined;
  /** Negative, as Node has it. */
  readonly errno: number | undefined;
  readonly errnoCode: string | undefined;

  constructor(
    failure: { message: string; path: string; field?: string; syscall?: string } & InitErrorOptions,
  ) {
    super('ERR_INIT_CGROUP', failure.message, failure);
    this.field = failure.field ?? '';
    this.path = failure.path;
    this.syscall = failure.syscall;
    const { errno, code } = (failure.cause ?? {}) as { errno?: unknown; code?: unknown };
    this.errno = typeof errno === 'number' ? errno : undefined;
    this.errnoCode = typeof code === 'string' ? code : undefined;
  }
}

/** Thrown when the process that forks children cannot be started, or fails its self-test. */
export class ZygoteError extends InitPackageError {
  /** What the zygote's process exited with, where it did. */
  readonly exitCode: number | undefined;
  /** Its Node cannot be forked on this host: the self-test failed, or it does not know the flags. Trying again is of no use. */
  readonly unfit: boolean;

  constructor(
    message: string,
    options: InitErrorOptions & { exitCode?: number; unfit?: boolean } = {},
  ) {
    super('ERR_INIT_ZYGOTE', message, options);
    this.exitCode = options.exitCode;
    this.unfit = options.unfit ?? false;
  }
}

/** Thrown in place of an exit status that nobody can know any more. */
export class UnknownExitError extends InitPackageError {
  constructor(reason: string) {
    super('ERR_INIT_UNKNOWN_EXIT', `the exit status is unknown: ${reason}`, {
      hint: 'Linux 6.15 and newer keep the status with the pidfd.',
    });
  }
}

/** Thrown when a child ended before its program ran, and did not say why. */
export class ChildDiedError extends InitPackageError {
  readonly status: WaitStatus;
  /** The kernel killed it, or one of its processes, for want of memory in the cgroup of the launch. */
  readonly oomKilled: boolean;
  /** As LaunchError's. */
  declare readonly transcript: readonly string[];

  constructor(step: string, status: WaitStatus, oomKilled = false) {
    const how =
      status.signal === null
        ? `exited with ${status.code}`
        : `was killed by signal ${status.signal}`;
    super(
      'ERR_INIT_CHILD_DIED',
      oomKilled
        ? `the child was killed after step "${step}" for want of memory in its cgroup`
        : `the child ${how} after step "${step}" without reporting why`,
      {
        hint: oomKilled
          ? 'Raise linux.resources.memory.limit: until the program runs, the child needs some MiB for itself.'
          : 'Look for an out-of-memory kill in the kernel log; a security profile can also end a process this way.',
      },
    );
    Object.defineProperty(this, 'transcript', { value: [], writable: true });
    this.status = status;
    this.oomKilled = oomKilled;
  }
}

/** Thrown when processes of a program that was to be gone are still there, or what was made for it is still in use. */
export class TreeAliveError extends InitPackageError {
  /** Cgroups that could not be removed. */
  readonly paths: readonly string[];

  constructor(id: string, paths: readonly string[]) {
    super('ERR_INIT_TREE_ALIVE', `end ${id}: still in use after SIGKILL: ${paths.join(', ')}`, {
      hint: 'See cgroup.procs there: a process in state D waits for a device or a file server; `removeCgroup` removes it later.',
    });
    this.paths = paths;
  }
}
