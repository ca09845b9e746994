const CLI_ERROR = Symbol.for('@pilotlight/cli/error');

interface CliErrorOptions {
  hint: string;
  cause?: unknown;
}

/** What every error of this package has: a stable `code`, and a `hint` that says what to do. */
export class CliError extends Error {
  override readonly name: string = 'CliError';
  /** Stable across releases; safe to compare. */
  readonly code: string;
  readonly hint: string;

  constructor(code: string, message: string, { hint, cause }: CliErrorOptions) {
    super(message, cause === undefined ? undefined : { cause });
    Object.defineProperty(this, CLI_ERROR, { value: true });
    this.code = code;
    this.hint = hint;
  }
}

/** Whether `error` comes from any copy of this package; with `code`, only if it carries that code. */
export function isCliError(error: unknown, code?: string): error is CliError {
  return (
    typeof error === 'object' &&
    error !== null &&
    CLI_ERROR in error &&
    (code === undefined || (error as { code?: unknown }).code === code)
  );
}

/** Thrown for a command line that cannot be understood. Nothing has been done yet. */
export class UsageError extends CliError {
  override readonly name: string = 'UsageError';
  constructor(message: string, hint: string) {
    super('ERR_CLI_USAGE', message, { hint });
  }
}

/** Thrown by `run` for a caller who may not make namespaces. */
export class PrivilegeError extends CliError {
  override readonly name: string = 'PrivilegeError';
  constructor(action: string, uid: number) {
    super('ERR_CLI_PRIVILEGE', `${action}: user ${uid} lacks CAP_SYS_ADMIN`, {
      hint: 'Making namespaces without a user namespace needs it: run as root, for example with sudo(8), or have the bundle make a user namespace that maps this user.',
    });
  }
}

/** Thrown when a file of the caller's cannot be opened, read or written. */
export class FileError extends CliError {
  override readonly name: string = 'FileError';
  readonly path: string;
  constructor(action: string, path: string, options: CliErrorOptions) {
    super('ERR_CLI_FILE', `${action} ${path}: ${reasonOf(options.cause)}`, options);
    this.path = path;
  }
}

/** Thrown by `spec` when there is a `config.json` already. */
export class ConfigExistsError extends CliError {
  override readonly name: string = 'ConfigExistsError';
  readonly path: string;
  constructor(path: string) {
    super('ERR_CLI_CONFIG_EXISTS', `write ${path}: it exists already`, {
      hint: 'Remove it first, or name another directory with --bundle.',
    });
    this.path = path;
  }
}

/** Thrown when a terminal is wanted and there is nowhere to put it, or the other way round. */
export class TerminalError extends CliError {
  override readonly name: string = 'TerminalError';
  constructor(message: string, hint: string, cause?: unknown) {
    super('ERR_CLI_TERMINAL', message, { hint, ...(cause === undefined ? {} : { cause }) });
  }
}

/** Thrown by `run` when a signal comes before the program runs. Nothing of the launch is left. */
export class InterruptedError extends CliError {
  override readonly name: string = 'InterruptedError';
  readonly signalNumber: number;
  constructor(signal: string, signalNumber: number) {
    super('ERR_CLI_INTERRUPTED', `run: interrupted by ${signal} before the program ran`, {
      hint: 'Nothing was left behind; run it again.',
    });
    this.signalNumber = signalNumber;
  }
}

/** Thrown when records of the store cannot be read; what could be read was shown. */
export class UnreadableRecordsError extends CliError {
  override readonly name: string = 'UnreadableRecordsError';
  constructor(root: string, problems: readonly { id: string; problem: Error }[]) {
    const ids = problems.map(({ id }) => id).join(', ');
    super('ERR_CLI_UNREADABLE_RECORDS', `list ${root}: cannot read the records of ${ids}`, {
      hint: 'They were left as they are. The cause tells about the first of them.',
      cause: problems[0]?.problem,
    });
  }
}

/** `ENOENT (no such file or directory)` for a system error, else its message. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (!('code' in cause) || typeof cause.code !== 'string') return cause.message;
  // Node says: "ENOENT: no such file or directory, open '/x'"; the path is in our own sentence.
  const text = /^[A-Z0-9]+: (.*?)(?:, \w+(?: .*)?)?$/s.exec(cause.message)?.[1];
  return text === undefined ? cause.message : `${cause.code} (${text})`;
}
