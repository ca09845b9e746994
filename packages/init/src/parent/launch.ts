import { type BorrowedFd, type FdLike, fdNumber } from '@pilotlight/scm-rights';
import type { CgroupManager } from '../cgroup/plan-cgroup.ts';
import type { OciSpec } from '../config/oci-spec.ts';
import { requireRunLimits, type RunLimitOptions } from '../end/run-limits.ts';
import { InvalidConfigError, ZygoteError } from '../errors.ts';
import { type LaunchPlan, planLaunch } from '../plan/plan-launch.ts';
import { planActivation } from '../plan/activation.ts';
import { inheritedLimits } from './inherited-limits.ts';
import { LaunchedProcess } from './launched-process.ts';
import { Launching } from './launching.ts';
import type { LaunchPhase } from './phases.ts';
import { type ProgramFdOptions, programFds } from './program-fds.ts';
import type { StdioOptions } from './stdio.ts';
import type { WaitStatus } from '@pilotlight/scm-rights';
import type { TranscriptSink } from './transcript.ts';
import type { Zygote } from './zygote.ts';
import { sharedZygote } from './shared-zygote.ts';

export type LaunchConfig = {
  /** Names the container: its default cgroup, its keyring, messages. */
  id: string;
  /** Validated, see loadBundle and validateSpec. */
  spec: OciSpec;
  /** Absolute path of the bundle; relative paths in the specification start there. */
  bundle: string;
  /**
   * Who makes the cgroup. `systemd` is asked over D-Bus for a transient scope, as that of the machine when this process is root,
   * else as the user's own; `linux.cgroupsPath` then has the form `slice:prefix:name`. Default `cgroupfs`.
   */
  cgroupManager?: CgroupManager;
};

export type LaunchOptions = RunLimitOptions &
  ProgramFdOptions & {
    /** Default: standard input from /dev/null, the others inherited. With a terminal it does not count. */
    stdio?: StdioOptions;
    /**
     * A connected Unix stream socket that takes the master side of the pty, as runc's console
     * socket does. Needed exactly when the specification wants a terminal. Stays the caller's.
     */
    consoleSocket?: FdLike;
    /**
     * Gives the program a session keyring of its own, keyrings(7). Without it the keys of the
     * launching process are within its reach, as with runc's --no-new-keyring. Default true.
     */
    newKeyring?: boolean;
    /** What forks. Default: a process shared by all launches, started on first use. */
    zygote?: Zygote;
    /**
     * Aborted, it ends the launch, which is rejected with the signal's reason; what was made until
     * then is removed. It has no say any more once the program runs; see `signal` for that.
     */
    launchSignal?: AbortSignal;
    /**
     * How long, in milliseconds, the child may take to reach the gate, and again from there to its
     * program; then it is killed. Also how long a hook may take that has no timeout of its own.
     * Default 60 000.
     */
    launchTimeoutMs?: number;
    /**
     * Gets the handshake as JSON lines, see `@pilotlight/sync/transcript`: each message with its time,
     * its direction and its bytes. The config, which may hold secrets, is not part of it.
     */
    transcript?: TranscriptSink;
    /**
     * Move the root file system over the old root and change into it, instead of pivot_root(2), which
     * fails where the host still runs on its initial ramfs. Weaker: what the host has mounted stays
     * in the namespace, below the container's root. runc's --no-pivot. Default false.
     */
    noPivot?: boolean;
    /** Soft limit of open files where the specification sets none. Default 1024, as systemd's. */
    nofileSoft?: number;
    /**
     * Called with the true status while the process is a zombie; it is reaped when the promise
     * settles. Whoever wants never to lose a status writes it down here.
     */
    onExit?: (status: WaitStatus) => Promise<void> | void;
    /** Gets what went wrong and changes nothing, such as a `poststop` hook that failed. */
    onWarning?: (warning: Error) => void;
    /**
     * Who runs the `poststop` hooks of a program that ran: `exit`, the default, is this process, once
     * the program has ended and its cgroup is removed; `caller` leaves them to runPoststopHooks. After
     * a launch that failed or was aborted they run here in any case.
     */
    poststop?: 'exit' | 'caller';
  };

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
   * Opens the gate. Resolves when the program runs.
   *
   * @throws LaunchError when it could not be run; the child is reaped and its cgroup removed then
   */
  run(): Promise<LaunchedProcess>;
  /** Kills and reaps the child and removes what was made for it; a `run` under way is rejected. */
  abort(): Promise<void>;
}

/**
 * Does everything up to the moment before the program runs: nothing of it has run yet, and the
 * child waits. Persist what must be known of it, then `run`.
 *
 * @throws InvalidConfigError, UnsupportedConfigError before anything is done
 * @throws LaunchError when a step fails; nothing is left behind
 * @throws ZygoteError when children cannot be forked here
 */
export async function prepareLaunch(
  config: LaunchConfig,
  options: LaunchOptions = {},
): Promise<PreparedLaunch> {
  options.signal?.throwIfAborted();
  options.launchSignal?.throwIfAborted();
  requireRunLimits(options);
  const plan = planLaunch({
    ...config,
    inheritedLimits: inheritedLimits(options.nofileSoft),
    noPivot: options.noPivot ?? false,
    newKeyring: options.newKeyring ?? true,
    activation: planActivation(options.listenFds?.length ?? 0, options.listenFdNames),
  });
  programFds(options);
  requireConsole(plan.terminal, options.consoleSocket);
  const launching = await prepareWithZygote(plan, options);
  let runs = false;
  const abort = (): Promise<void> => launching.abort();
  return {
    id: plan.id,
    pid: launching.child.pid,
    pidfd: launching.child.pidfd.borrow(),
    cgroupPaths: launching.groups.paths,
    phases: launching.clock.phases,
    async run() {
      await launching.run();
      runs = true;
      return new LaunchedProcess(launching, options);
    },
    abort,
    [Symbol.asyncDispose]: async () => (runs ? undefined : abort()),
  };
}

async function prepareWithZygote(plan: LaunchPlan, options: LaunchOptions): Promise<Launching> {
  const prepare = async (zygote: Zygote): Promise<Launching> => {
    zygote.requireSupport?.(plan);
    const launching = new Launching(plan, zygote, options);
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

/**
 * Launches a container or a sandboxed command. Resolves when its program runs.
 *
 *     await using sandbox = await launch(
 *       { id: 'demo', spec: hostRootSpec({ args: ['sh', '-c', 'echo hello'] }), bundle: '/' },
 *       { stdio: ['ignore', 'pipe', 'pipe'], timeoutMs: 10_000, maxOutputBytes: 1 << 20 },
 *     );
 *     const { stdout, end } = await sandbox.output(); // 'hello\n', { reason: 'exited', code: 0, … }
 *
 * @throws as prepareLaunch
 */
export async function launch(
  config: LaunchConfig,
  options: LaunchOptions = {},
): Promise<LaunchedProcess> {
  const prepared = await prepareLaunch(config, options);
  return prepared.run();
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
