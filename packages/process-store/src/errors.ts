import { z } from 'zod';

const STORE_ERROR = Symbol.for('@pilotlight/process-store/error');

interface StoreErrorOptions {
  hint: string;
  cause?: unknown;
}

/** What every error of this package has: a stable `code`, and a `hint` that says what to do. */
export class StoreError extends Error {
  override readonly name: string = 'StoreError';
  /** Stable across releases; safe to compare. */
  readonly code: string;
  readonly hint: string;

  constructor(code: string, message: string, { hint, cause }: StoreErrorOptions) {
    super(message, cause === undefined ? undefined : { cause });
    Object.defineProperty(this, STORE_ERROR, { value: true });
    this.code = code;
    this.hint = hint;
  }
}

/** Whether `error` comes from any copy of this package; with `code`, only if it carries that code. */
export function isStoreError(error: unknown, code?: string): error is StoreError {
  return (
    typeof error === 'object' &&
    error !== null &&
    STORE_ERROR in error &&
    (code === undefined || (error as { code?: unknown }).code === code)
  );
}

/** Thrown when a text cannot be the id of a process. */
export class InvalidIdError extends StoreError {
  override readonly name: string = 'InvalidIdError';
  constructor(received: unknown, reason: string) {
    const shown = typeof received === 'string' ? excerpt(received) : typeof received;
    super('ERR_STORE_INVALID_ID', `use ${shown} as an id: it ${reason}`, {
      hint: 'Use 1 to 255 of the characters A-Z a-z 0-9 _ + - . and neither "." nor "..".',
    });
  }
}

/** Thrown by `launch` when the id is taken, whether its process still runs or not. */
export class IdInUseError extends StoreError {
  override readonly name: string = 'IdInUseError';
  readonly id: string;
  constructor(id: string, root: string) {
    super('ERR_STORE_ID_IN_USE', `reserve id ${id} in ${root}: it is in use`, {
      hint: `Choose another id, or delete ${id} first.`,
    });
    this.id = id;
  }
}

/** Thrown when there is no record of that id, or no longer the one a handle was made for. */
export class NotFoundError extends StoreError {
  override readonly name: string = 'NotFoundError';
  readonly id: string;
  constructor(id: string, root: string, existing: readonly string[]) {
    super('ERR_STORE_NOT_FOUND', `find process ${id} in ${root}: there is no such record`, {
      hint: describeExisting(existing),
    });
    this.id = id;
  }
}

/** Thrown by `remove` and `restart` when the process, or another one in its cgroup, has not ended. */
export class NotStoppedError extends StoreError {
  override readonly name: string = 'NotStoppedError';
  readonly id: string;
  readonly state: string;
  constructor(action: string, id: string, state: string, detail: string) {
    super('ERR_STORE_NOT_STOPPED', `${action} ${id}: ${detail}`, {
      hint: 'Wait for its end, signal it, or delete with force, which kills it first.',
    });
    this.id = id;
    this.state = state;
  }
}

/** Thrown when something is asked of a process, or of a container, that has already ended. */
export class NotRunningError extends StoreError {
  override readonly name: string = 'NotRunningError';
  readonly id: string;
  /** `action` is what was attempted, up to the id: `send SIGTERM to`. */
  constructor(action: string, id: string, how: string) {
    super('ERR_STORE_NOT_RUNNING', `${action} ${id}: ${how}`, {
      hint: 'Nothing of it runs any more; delete the record when it is no longer needed.',
    });
    this.id = id;
  }
}

/** Thrown when a killed process did not end before the deadline. */
export class StillAliveError extends StoreError {
  override readonly name: string = 'StillAliveError';
  readonly id: string;
  constructor(action: string, id: string, pid: number, deadlineMs: number) {
    super(
      'ERR_STORE_STILL_ALIVE',
      `${action} ${id}: process ${pid} was killed but is not reaped after ${deadlineMs} ms`,
      {
        hint: `See /proc/${pid}/stat: D waits in the kernel, Z waits for its parent. Try again later; the record is kept.`,
      },
    );
    this.id = id;
  }
}

/** Thrown when a file of a record is missing, is not JSON, or breaks its schema. The file is left as it is. */
export class BadRecordError extends StoreError {
  override readonly name: string = 'BadRecordError';
  readonly path: string;
  constructor(path: string, reason: string, cause?: unknown) {
    super('ERR_STORE_BAD_RECORD', `read record ${path}: ${reason}`, {
      hint: 'The file was damaged or written by something else. Restore it, or remove it when nothing of it runs; deleting a record with force makes sure of that.',
      ...(cause === undefined ? {} : { cause }),
    });
    this.path = path;
  }
}

/** Thrown when a damaged record was to be deleted and nothing proves that its process has ended. The record is kept. */
export class DamagedRecordError extends StoreError {
  override readonly name: string = 'DamagedRecordError';
  readonly path: string;
  constructor(path: string, why: string, damage: Error) {
    super(
      'ERR_STORE_DAMAGED_RECORD',
      `delete damaged record ${path}: nothing proves that its process has ended: ${why}`,
      {
        hint: 'Find out whether its process runs (ps, the cgroup in spec.json), end it, then remove the folder by hand.',
        cause: damage,
      },
    );
    this.path = path;
  }
}

/** Thrown when a file has a schema number that is higher than any known here. The file is left as it is, and nothing is deleted. */
export class NewerSchemaError extends StoreError {
  override readonly name: string = 'NewerSchemaError';
  readonly path: string;
  constructor(path: string, found: number, known: number) {
    super(
      'ERR_STORE_NEWER_SCHEMA',
      `read record ${path}: its schema ${found} was written by a newer version; ${known} is the highest known here`,
      { hint: 'Update this program, or use the one that wrote it.' },
    );
    this.path = path;
  }
}

/** Thrown when the file system takes no more: it is full, read-only or broken. What was to be written is not there in part. */
export class DiskError extends StoreError {
  override readonly name: string = 'DiskError';
  readonly path: string;
  /** The errno by name: `ENOSPC`, `EDQUOT`, `EROFS`, `EIO`. */
  readonly errnoCode: string;
  constructor(action: string, path: string, cause: unknown) {
    const code = errnoCode(cause) ?? 'EIO';
    super('ERR_STORE_DISK', `${action} ${path}: ${reasonOf(cause, code)}`, {
      hint: diskHint(code),
      cause,
    });
    this.path = path;
    this.errnoCode = code;
  }
}

const DISK_CODES = ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'];

/** Whether the file system itself refused, for want of space or because it is read-only or broken. */
export function isDiskRefusal(error: unknown): boolean {
  return error instanceof DiskError || DISK_CODES.includes(errnoCode(error) ?? '');
}

/** What to do about an errno of the file system. */
export function diskHint(code: string | undefined): string {
  switch (code) {
    case 'ENOSPC':
      return 'The file system is full: free space or inodes on it (df, df -i), or choose a root elsewhere; records can still be deleted.';
    case 'EDQUOT':
      return 'The quota of this user is used up: free space, or choose a root elsewhere.';
    case 'EROFS':
      return 'The file system is read-only: remount it writable, or choose a root elsewhere, best in memory such as /run.';
    case 'EACCES':
    case 'EPERM':
      return 'Act as the owner of the store, or choose a root that you may write to.';
    default:
      return 'Check the path and the file system it is on.';
  }
}

/** Node repeats its path, which may be one of /proc/self/fd: only errno and words are kept. */
function reasonOf(cause: unknown, code: string): string {
  const words = /^E[A-Z0-9]+: ([^,]+)/.exec(messageOf(cause))?.[1];
  return words === undefined ? code : `${code} (${words})`;
}

/** Thrown when a directory cannot serve as store root. */
export class RootError extends StoreError {
  override readonly name: string = 'RootError';
  readonly path: string;
  constructor(path: string, message: string, options: StoreErrorOptions) {
    super('ERR_STORE_ROOT', message, options);
    this.path = path;
  }
}

/** Thrown when another holds a lock of the store for longer than we wait. */
export class BusyError extends StoreError {
  override readonly name: string = 'BusyError';
  constructor(what: string, deadlineMs: number, cause: unknown) {
    super('ERR_STORE_BUSY', `lock ${what}: another process still holds it after ${deadlineMs} ms`, {
      hint: 'A launch or a removal is under way there. Try again; /proc/locks names the holder.',
      cause,
    });
  }
}

/** Thrown when a store is to promise more than this kernel can keep. */
export class TierError extends StoreError {
  override readonly name: string = 'TierError';
  readonly wanted: string;
  readonly best: string;
  constructor(wanted: string, best: string) {
    super('ERR_STORE_TIER', `launch in tier ${wanted}: the best to be had here is ${best}`, {
      hint: 'Leave the tier away, or choose a lower one; `tierFacts` says what each of them needs.',
    });
    this.wanted = wanted;
    this.best = best;
  }
}

/** Thrown when the monitor of a root cannot be started or reached, or ended before it had answered. */
export class MonitorError extends StoreError {
  override readonly name: string = 'MonitorError';
  constructor(root: string, reason: string, cause?: unknown) {
    super('ERR_STORE_MONITOR', `ask the monitor of ${root}: ${reason}`, {
      hint: "Look at monitor.json in the root for who it is. With tier 'D' a launch needs none.",
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/**
 * Thrown when a process has ended, and the monitor or the keeper, which may still know how, has not recorded it yet. Nothing
 * is recorded then.
 */
export class HeldBackError extends StoreError {
  override readonly name: string = 'HeldBackError';
  readonly id: string;
  constructor(id: string) {
    super('ERR_STORE_HELD_BACK', `tell how ${id} ended: its monitor has not recorded it yet`, {
      hint: 'Try again. If it stays so, see whether the monitor named in monitor.json is stopped or cannot write.',
    });
    this.id = id;
  }
}

/** Thrown when a launch that the monitor has to do is given something that cannot be sent to it. Nothing has been done. */
export class CannotTravelError extends StoreError {
  override readonly name: string = 'CannotTravelError';
  /** The name of the option. */
  readonly option: string;
  constructor(option: string, reason: string) {
    super('ERR_STORE_CANNOT_TRAVEL', `launch in tier C with ${option}: ${reason}`, {
      hint: `Leave ${option} away, or launch in tier D, where this process is the parent.`,
    });
    this.option = option;
  }
}

/** Thrown when the fate of a process cannot be seen from the namespaces of this one. Nothing is recorded then. */
export class ForeignNamespaceError extends StoreError {
  override readonly name: string = 'ForeignNamespaceError';
  readonly id: string;
  constructor(action: string, id: string) {
    super(
      'ERR_STORE_FOREIGN_NAMESPACE',
      `${action} ${id}: it was launched in another pid or mount namespace, and cannot be seen from here`,
      { hint: 'Run the command in the namespaces of the launcher, for example with nsenter(1).' },
    );
    this.id = id;
  }
}

/** Thrown when a process cannot be described as a container of runc, or the description cannot be written or listed. */
export class RuncStateError extends StoreError {
  override readonly name: string = 'RuncStateError';
  /** The id, or the root of runc where it is about that. */
  readonly operand: string;
  constructor(operand: string, reason: string, options: StoreErrorOptions) {
    super('ERR_STORE_RUNC_STATE', `keep runc state of ${operand}: ${reason}`, options);
    this.operand = operand;
  }
}

/** Thrown when a command line or an environment is none that an exec wrapper is started with. Nothing has run. */
export class ExecUsageError extends StoreError {
  override readonly name: string = 'ExecUsageError';
  constructor(message: string, options: StoreErrorOptions) {
    super('ERR_STORE_EXEC_USAGE', message, options);
  }
}

/** Thrown when a pid file is there and does not hold a pid, or stays empty. */
export class PidFileError extends StoreError {
  override readonly name: string = 'PidFileError';
  readonly path: string;
  constructor(path: string, reason: string, cause?: unknown) {
    super('ERR_STORE_PID_FILE', `read pid file ${path}: ${reason}`, {
      hint: 'A pid file holds one decimal number from 1 to 4194304 and nothing else, no newline either.',
      ...(cause === undefined ? {} : { cause }),
    });
    this.path = path;
  }
}

/** Thrown when a runtime that was run did not do what it was asked. */
export class RuntimeError extends StoreError {
  override readonly name: string = 'RuntimeError';
  /** What the runtime itself said, from its log; empty if it said nothing. */
  readonly text: string;
  constructor(action: string, how: string, text: string) {
    super('ERR_STORE_RUNTIME', `${action}: ${how}${text === '' ? '' : `: ${text}`}`, {
      hint: 'The runtime gave the reason, here or on standard error; see also that it is installed.',
    });
    this.text = text;
  }
}

/** Thrown when an exec wrapper does what none should do; always the cause of an ExecFailedError. */
export class WrapperError extends StoreError {
  override readonly name: string = 'WrapperError';
  constructor(message: string) {
    super('ERR_STORE_WRAPPER', message, {
      hint: 'Check that the program is `pilotlight exec-ext` or embedshim-runcext, and what it writes to standard error.',
    });
  }
}

/** How an exec wrapper ended. Both null while it has not, or if it never ran. */
interface WrapperEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/**
 * Thrown when a process could not be executed through a wrapper. Nothing of it runs: the wrapper has ended, and the process
 * if there was one was killed. `cause` is what went wrong first.
 */
export class ExecFailedError extends StoreError {
  override readonly name: string = 'ExecFailedError';
  /** What the wrapper reported, without its `error: `; undefined if it reported nothing. */
  declare readonly text?: string;
  /** How the wrapper ended. */
  readonly wrapper: WrapperEnd;
  constructor(reason: string, details: { text?: string; wrapper: WrapperEnd; cause?: unknown }) {
    super('ERR_STORE_EXEC_FAILED', `execute a process through its wrapper: ${reason}`, {
      hint: 'The runtime and the wrapper write more to standard error and to the log they are given.',
      ...(details.cause === undefined ? {} : { cause: details.cause }),
    });
    if (details.text !== undefined) this.text = details.text;
    this.wrapper = details.wrapper;
  }
}

/** Thrown when the status of a process is asked for that has not ended, or whose end is not written down yet. */
export class NotExitedError extends StoreError {
  override readonly name: string = 'NotExitedError';
  readonly id: string;
  constructor(id: string) {
    super('ERR_STORE_NOT_EXITED', `read the exit status of ${id}: it has not exited`, {
      hint: 'Wait for its end with waitExit, or for the hang-up of its exit fifo.',
    });
    this.id = id;
  }
}

/** Thrown instead of a status when a process has ended and nobody can tell how. */
export class UnknownStatusError extends StoreError {
  override readonly name: string = 'UnknownStatusError';
  readonly id: string;
  /** Why it is unknown, as in an exit record; `ambiguous` for a 255 of somebody else, which is both unknown and a code. */
  readonly reason: string;
  constructor(id: string, reason: string) {
    super('ERR_STORE_UNKNOWN_STATUS', `read the exit status of ${id}: it is unknown (${reason})`, {
      hint: 'It has ended, and nothing kept how. Do not take it for a success, nor for a kill.',
    });
    this.id = id;
    this.reason = reason;
  }
}

/** Thrown when a terminal is to be resized and the process has none, or nobody holds its master any more. */
export class NoConsoleError extends StoreError {
  override readonly name: string = 'NoConsoleError';
  readonly id: string;
  constructor(id: string) {
    super('ERR_STORE_NO_CONSOLE', `resize the terminal of ${id}: no master of one is at hand`, {
      hint: 'Start the process with terminal: true. The master of a terminal outlives its program only where a monitor holds it.',
    });
    this.id = id;
  }
}

/** Thrown when whoever supervises a process takes nothing from its control fifo. */
export class ControlFifoError extends StoreError {
  override readonly name: string = 'ControlFifoError';
  readonly path: string;
  constructor(path: string, reason: string) {
    super('ERR_STORE_CONTROL_FIFO', `write to the control fifo ${path}: ${reason}`, {
      hint: 'Check that the program that supervises the process runs; if not, load the process to take over.',
    });
    this.path = path;
  }
}

/** Thrown when a stored stream cannot be opened as what it is stored as, or the streams do not go together. */
export class StdioError extends StoreError {
  override readonly name: string = 'StdioError';
  /** What should have been opened. */
  readonly path: string;
  constructor(path: string, reason: string, options: StoreErrorOptions) {
    super('ERR_STORE_STDIO', `open ${path} as a standard stream: ${reason}`, options);
    this.path = path;
  }
}

/** Thrown when nobody came to the other side of a fifo in time. Nothing of it is open then. */
export class FifoTimeoutError extends StoreError {
  override readonly name: string = 'FifoTimeoutError';
  readonly path: string;
  constructor(path: string, missing: 'reader' | 'writer', timeoutMs: number) {
    const why = `no ${missing} came within ${timeoutMs} ms`;
    super('ERR_STORE_FIFO_TIMEOUT', `open fifo ${path} as a standard stream: ${why}`, {
      hint: `Open the fifo as its ${missing} before or while the process is launched.`,
    });
    this.path = path;
  }
}

/** Thrown when a handle is used that was closed, or waits that were pending then. The process goes on. */
export class ProcessClosedError extends StoreError {
  override readonly name: string = 'ProcessClosedError';
  readonly id: string;
  constructor(action: string, id: string) {
    super('ERR_STORE_PROCESS_CLOSED', `${action} ${id}: this handle of it was closed`, {
      hint: 'Load the process again.',
    });
    this.id = id;
  }
}

/** Thrown when nothing proves that a pid in a file is still the process that was meant. Nothing is done to it. */
export class UnprovenProcessError extends StoreError {
  override readonly name: string = 'UnprovenProcessError';
  readonly id: string;
  constructor(id: string, pid: number) {
    super(
      'ERR_STORE_UNPROVEN',
      `take over ${id}: process ${pid} exists, but nothing tells that it is the one that was started`,
      {
        hint: `No start time was kept. Look at /proc/${pid}; remove the folder by hand if it is a stranger.`,
      },
    );
    this.id = id;
  }
}

/** Thrown when a log driver, or an option of one, is none that is known or has a value that it cannot have. */
export class LogOptionError extends StoreError {
  override readonly name: string = 'LogOptionError';
  /** The option, or `driver`. */
  readonly option: string;
  constructor(option: string, message: string, hint: string) {
    super('ERR_STORE_LOG_OPTION', message, { hint });
    this.option = option;
  }
}

/** Thrown, or given as a warning, when a log could not be opened, read, written or rotated. */
export class LogError extends StoreError {
  override readonly name: string = 'LogError';
  readonly path: string;
  constructor(path: string, action: string, reason: string, options: StoreErrorOptions) {
    super('ERR_STORE_LOG', `${action} log ${path}: ${reason}`, options);
    this.path = path;
  }
}

/** A warning, never thrown: output of a program could not be written to its log and is lost. The program goes on. */
export class LogDroppedError extends StoreError {
  override readonly name: string = 'LogDroppedError';
  readonly path: string;
  /** How many bytes of lines were lost since writing last succeeded. */
  readonly droppedBytes: number;
  constructor(path: string, droppedBytes: number, cause: unknown) {
    super(
      'ERR_STORE_LOG_DROPPED',
      `write log ${path}: ${droppedBytes} bytes were lost: ${messageOf(cause)}`,
      {
        hint: 'Make space where the log is, or give it a smaller max-size; the program goes on meanwhile.',
        cause,
      },
    );
    this.path = path;
    this.droppedBytes = droppedBytes;
  }
}

/** Thrown when a text is no cursor. */
export class InvalidCursorError extends StoreError {
  override readonly name: string = 'InvalidCursorError';
  constructor(received: string) {
    const shown = JSON.stringify(received.slice(0, 80));
    super('ERR_STORE_INVALID_CURSOR', `watch events since ${shown}: it is no cursor`, {
      hint: "Use the `cursor` of an event as it is, 'start' for all that are kept, or nothing for those to come.",
    });
  }
}

/** Thrown when a value is no restart policy. */
export class InvalidRestartError extends StoreError {
  override readonly name: string = 'InvalidRestartError';
  constructor(cause: z.ZodError) {
    super('ERR_STORE_INVALID_RESTART', `use a restart policy: ${z.prettifyError(cause)}`, {
      hint: "Use { name: 'no' }, { name: 'on-failure', maxRestarts } or { name: 'always' }; times are whole milliseconds up to a day.",
      cause,
    });
  }
}

/** Thrown when the streams that a launch asks for do not go together. Nothing was made then. */
export class StdioRequestError extends StoreError {
  override readonly name: string = 'StdioRequestError';
  constructor(reason: string, hint: string, cause?: unknown) {
    super('ERR_STORE_STDIO_REQUEST', `choose the standard streams: ${reason}`, {
      hint,
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** Thrown when something failed and the clean-up after it failed as well; `cause` is what failed first. */
export class CleanupError extends StoreError {
  override readonly name: string = 'CleanupError';
  /** What the clean-up ran into. */
  readonly failures: readonly unknown[];
  constructor(action: string, first: unknown, failures: readonly unknown[]) {
    const rest = failures.map(messageOf).join('; ');
    super('ERR_STORE_CLEANUP', `${action}: ${messageOf(first)}; and then, cleaning up: ${rest}`, {
      hint: 'The cause tells why it failed. What could not be removed is named in the message.',
      cause: first,
    });
    this.failures = failures;
  }
}

/** The errno name of an error of Node or of scm-rights, if it has one. */
export function errnoCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

/** The text of an error, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function excerpt(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

const SHOWN = 10;

function describeExisting(ids: readonly string[]): string {
  if (ids.length === 0) return 'The store is empty; check that its root is the one you mean.';
  const more = ids.length > SHOWN ? ` and ${ids.length - SHOWN} more` : '';
  return `These exist: ${ids.slice(0, SHOWN).join(', ')}${more}.`;
}
