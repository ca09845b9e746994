import { type BorrowedFd, type FdLike, fdNumber } from '@pilotlight/scm-rights';
import { requireRunLimits } from '../end/run-limits.ts';
import { InvalidConfigError, ZygoteError } from '../errors.ts';
import type { LaunchOptions } from './launch.ts';
import { LaunchedProcess } from './launched-process.ts';
import { Launching } from './launching.ts';
import type { LaunchPhase } from './phases.ts';
import { programFds } from './program-fds.ts';
import type { Undertaking } from './undertaking.ts';
import type { Zygote } from './zygote.ts';
import { sharedZygote } from './shared-zygote.ts';

/**
 * A child that has done everything but run its program; it waits for `run`.
 *
 * Disposed of before its program runs, it is aborted; afterwards that is the LaunchedProcess's.
 */
export interface PreparedLaunch extends AsyncDisposable {
  readonly id: string;
  /** In this process's pid namespace; no handle. */
  readonly pid: number;
  /** Open until the launch is aborted, or the process has ended or is detached. */
  readonly pidfd: BorrowedFd;
  /** What `removeCgroup` must be given once the process is gone, if nobody here does it. */
  readonly cgroupPaths: readonly string[];
  readonly phases: readonly LaunchPhase[];
  /**
   * Opens the gate. Resolves when the program runs. A second call is the first one's.
   *
   * @throws LaunchError when it could not be run; the child is reaped and its cgroup removed then
   */
  run(): Promise<LaunchedProcess>;
  /** Kills and reaps the child and removes what was made for it; a `run` under way is rejected. */
  abort(): Promise<void>;
}

/** @throws InvalidConfigError, or the reason of a signal that is aborted, before anything is done */
export function requireUsableOptions(options: LaunchOptions): void {
  options.signal?.throwIfAborted();
  options.launchSignal?.throwIfAborted();
  requireRunLimits(options);
  programFds(options);
}

/**
 * Brings a child to the gate.
 *
 * @param begin makes the undertaking anew for each attempt
 */
export async function prepareUndertaking(
  begin: () => Undertaking,
  options: LaunchOptions,
): Promise<PreparedLaunch> {
  requireConsole(begin().plan.terminal, options.consoleSocket);
  const launching = await prepareWithZygote(begin, options);
  let runs = false;
  let running: Promise<LaunchedProcess> | undefined;
  const run = async (): Promise<LaunchedProcess> => {
    await launching.run();
    runs = true;
    return new LaunchedProcess(launching, options);
  };
  const abort = (): Promise<void> => launching.abort();
  return {
    id: launching.plan.id,
    pid: launching.child.pid,
    pidfd: launching.child.pidfd.borrow(),
    cgroupPaths: launching.groups.paths,
    phases: launching.clock.phases,
    run: () => (running ??= run()),
    abort,
    [Symbol.asyncDispose]: async () => (runs ? undefined : abort()),
  };
}

async function prepareWithZygote(
  begin: () => Undertaking,
  options: LaunchOptions,
): Promise<Launching> {
  const prepare = async (zygote: Zygote): Promise<Launching> => {
    const undertaking = begin();
    undertaking.requireSupport?.(zygote);
    const launching = new Launching(undertaking, zygote, options);
    await launching.prepare();
    return launching;
  };
  if (options.zygote !== undefined) return prepare(options.zygote);
  const zygote = await sharedZygote();
  try {
    return await prepare(zygote);
  } catch (error) {
    // The shared one was killed before it could fork, or right after: a child that it made is left
    // without a config, does nothing and ends. One more is worth a try.
    if (!(error instanceof ZygoteError)) throw error;
    return prepare(await sharedZygote());
  }
}

function requireConsole(terminal: boolean, socket: FdLike | undefined): void {
  if (terminal && socket === undefined) {
    throw new InvalidConfigError(
      'process.terminal',
      'process.terminal: the terminal has nowhere to go without a console socket',
      { hint: 'Give a console socket, or set process.terminal to false.' },
    );
  }
  if (!terminal && socket !== undefined) {
    throw new InvalidConfigError(
      'process.terminal',
      'process.terminal: a console socket was given, but the configuration wants no terminal',
      { hint: 'Set process.terminal to true, or leave the console socket away.' },
    );
  }
  if (socket !== undefined) fdNumber(socket);
}
