import { resolve } from 'node:path';
import { InvalidIdError } from '../errors.ts';
import { parseRecordId } from '../record/record-id.ts';

/** How `runc exec` executes a process. */
export type RuncExecOptions = {
  /** The OCI process as a JSON file; by custom `<bundle>/<exec id>.json`. */
  readonly process: string;
  /** Unix socket that is sent the terminal. */
  readonly consoleSocket?: string;
  /** Return when the process runs. */
  readonly detach?: boolean;
  /** File that is written the pid; by custom `<bundle>/<exec id>.pid`. Made absolute. */
  readonly pidFile?: string;
};

/**
 * The arguments of `runc exec` for a container:
 * `exec --process FILE [--console-socket P] [--detach] [--pid-file ABS] ID`. Throws InvalidIdError.
 */
export function runcExecArgs(id: string, options: RuncExecOptions): string[] {
  const { process, consoleSocket, detach, pidFile } = options;
  const args = ['exec', '--process', process];
  if (consoleSocket !== undefined) args.push('--console-socket', consoleSocket);
  if (detach === true) args.push('--detach');
  if (pidFile !== undefined) args.push('--pid-file', resolve(pidFile));
  return [...args, containerId(id)];
}

/** How `runc create` makes a container. */
export type RuncCreateOptions = {
  /** Directory with config.json. */
  readonly bundle: string;
  /** File that is written the pid; by custom `<bundle>/init.pid`. Made absolute. */
  readonly pidFile?: string;
  readonly consoleSocket?: string;
  /** Unix socket that is sent the pidfd; runc 1.2. */
  readonly pidfdSocket?: string;
  /** Do not pivot_root(2), for roots in memory. */
  readonly noPivot?: boolean;
  readonly noNewKeyring?: boolean;
  /** For runtimes that want it said; `runc create` always returns. */
  readonly detach?: boolean;
  /** How many descriptors from 3 on the container gets. */
  readonly preserveFds?: number;
};

/** The arguments of `runc create` for a new container, options in the order of {@link RuncCreateOptions}. Throws InvalidIdError. */
export function runcCreateArgs(id: string, options: RuncCreateOptions): string[] {
  const { bundle, pidFile, consoleSocket, pidfdSocket } = options;
  const args = ['create', '--bundle', bundle];
  if (pidFile !== undefined) args.push('--pid-file', resolve(pidFile));
  if (consoleSocket !== undefined) args.push('--console-socket', consoleSocket);
  if (pidfdSocket !== undefined) args.push('--pidfd-socket', pidfdSocket);
  if (options.noPivot === true) args.push('--no-pivot');
  if (options.noNewKeyring === true) args.push('--no-new-keyring');
  if (options.detach === true) args.push('--detach');
  if (options.preserveFds !== undefined) args.push('--preserve-fds', String(options.preserveFds));
  return [...args, containerId(id)];
}

function containerId(id: string): string {
  // runc has no objection to it, but would take it for a flag.
  if (id.startsWith('-')) throw new InvalidIdError(id, 'begins like a flag');
  return parseRecordId(id);
}
