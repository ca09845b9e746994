import type { FdLike, WaitStatus } from '@pilotlight/scm-rights';
import type { CgroupManager } from '../cgroup/plan-cgroup.ts';
import type { OciSpec } from '../config/oci-spec.ts';
import type { RunLimitOptions } from '../end/run-limits.ts';
import { planActivation } from '../plan/activation.ts';
import { planLaunch } from '../plan/plan-launch.ts';
import { ContainerStart } from './container-start.ts';
import { inheritedLimits } from './inherited-limits.ts';
import type { LaunchedProcess } from './launched-process.ts';
import { type PreparedLaunch, prepareUndertaking, requireUsableOptions } from './prepare.ts';
import type { ProgramFdOptions } from './program-fds.ts';
import type { StdioOptions } from './stdio.ts';
import type { TranscriptSink } from './transcript.ts';
import type { Zygote } from './zygote.ts';

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
  requireUsableOptions(options);
  const plan = planLaunch({
    ...config,
    inheritedLimits: inheritedLimits(options.nofileSoft),
    noPivot: options.noPivot ?? false,
    newKeyring: options.newKeyring ?? true,
    activation: planActivation(options.listenFds?.length ?? 0, options.listenFdNames),
  });
  return prepareUndertaking(() => new ContainerStart(plan), options);
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
