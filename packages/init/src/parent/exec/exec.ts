import { type FdLike, isScmRightsError } from '@pilotlight/scm-rights';
import type { OciProcess, OciSpec } from '../../config/oci-spec.ts';
import { InitPackageError, LaunchError } from '../../errors.ts';
import { planActivation } from '../../plan/activation.ts';
import { planExec } from '../../plan/plan-exec.ts';
import { inheritedLimits } from '../inherited-limits.ts';
import type { LaunchOptions } from '../launch.ts';
import type { LaunchedProcess } from '../launched-process.ts';
import { type PreparedLaunch, prepareUndertaking, requireUsableOptions } from '../prepare.ts';
import { ContainerEntry } from './container-entry.ts';
import { ContainerGroups } from './container-groups.ts';
import { hasEnded, isOver, readContainer } from './read-container.ts';

export type ExecConfig = {
  /** Names the process in messages and its keyring. Default: the container's id. */
  id?: string;
  container: {
    id: string;
    /** What it was launched with: its seccomp profile and labels hold for every process in it. */
    spec: OciSpec;
    /** Absolute path of its bundle. */
    bundle: string;
    /** Of its first process. Borrowed. */
    pidfd: FdLike;
    /** Those of its launch. */
    cgroupPaths: readonly string[];
  };
  /**
   * What to run. What it leaves out of capabilities, rlimits, noNewPrivileges, labels, oomScoreAdj,
   * scheduler and ioPriority is as for the container's first process.
   */
  process: OciProcess;
};

export type ExecOptions = Omit<LaunchOptions, 'noPivot' | 'poststop' | 'onWarning'> & {
  /**
   * A paused container stops whoever enters it. True prepares the process all the same, outside of
   * its cgroup, and `run` resolves when the container goes on. Default false: a LaunchError.
   */
  ignorePaused?: boolean;
};

/**
 * Prepares a process inside a running container, up to the moment before its program runs; see
 * `prepareLaunch`.
 *
 * @throws InvalidConfigError, UnsupportedConfigError before anything is done
 * @throws LaunchError when a step fails, among them `container` for one that has ended or is
 *   paused; nothing is left behind
 * @throws ZygoteError when children cannot be forked here
 */
export async function prepareExec(
  config: ExecConfig,
  options: ExecOptions = {},
): Promise<PreparedLaunch> {
  requireUsableOptions(options);
  const { container, process } = config;
  const facts = await readContainer(container.id, container.pidfd);
  const plan = planExec({
    id: config.id ?? container.id,
    bundle: container.bundle,
    container: { ...facts, id: container.id, spec: container.spec },
    process,
    inheritedLimits: inheritedLimits(options.nofileSoft),
    newKeyring: options.newKeyring ?? true,
    activation: planActivation(options.listenFds?.length ?? 0, options.listenFdNames),
  });
  const groupsOf = (frozen: boolean): ContainerGroups =>
    new ContainerGroups(container.cgroupPaths, facts.pid, frozen);
  const frozen = await groupsOf(false).isFrozen();
  if (frozen && options.ignorePaused !== true) throw paused(container.id);
  const undertaking = (): ContainerEntry =>
    new ContainerEntry(plan, { ...facts, pidfd: container.pidfd, frozen }, groupsOf(frozen));
  try {
    return await prepareUndertaking(undertaking, options);
  } catch (error) {
    // Whatever stopped the child, it is for this reason: ENOMEM for a fork, a SIGKILL, ESRCH.
    const isFailure = error instanceof InitPackageError || isScmRightsError(error);
    const failed = isFailure && isOver(container.pidfd);
    throw failed ? hasEnded(container.id, error) : error;
  }
}

/**
 * Runs a process inside a running container. Resolves when its program runs.
 *
 * @throws as prepareExec
 */
export async function exec(
  config: ExecConfig,
  options: ExecOptions = {},
): Promise<LaunchedProcess> {
  const prepared = await prepareExec(config, options);
  return prepared.run();
}

function paused(id: string): LaunchError {
  return new LaunchError({
    step: 'container',
    message: `enter container ${id}: it is paused`,
    hint: 'Resume it first, or allow it with ignorePaused: the program then runs once the container does.',
  });
}
