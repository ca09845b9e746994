/**
 * What Node must be started with for a process that forks itself.
 *
 * - `--single-threaded`: no garbage collection and no compilation on other threads
 * - `--gc-global`: no scavenger, which would still post work to a thread
 * - `--v8-pool-size=1`: the smallest pool (0 would mean "by number of CPUs"); idle, it holds no lock
 */
export const requiredZygoteFlags: readonly string[] = [
  '--single-threaded',
  '--gc-global',
  '--v8-pool-size=1',
];

/**
 * Worth having: code of the child stays compiled, one thread less, and no task is posted when the
 * young generation fills up. Posting one wakes the event loop through a descriptor that a child
 * has closed, and libuv aborts over that.
 */
export const optionalZygoteFlags: readonly string[] = [
  '--no-flush-bytecode',
  '--disable-sigusr1',
  '--no-minor-gc-task',
];

/**
 * For a process that is not forked: fewer threads beside the one that becomes the child, which
 * count in its cgroup and have nothing to do.
 */
export const spawningZygoteFlags: readonly string[] = ['--single-threaded', '--v8-pool-size=1'];

/** Whether this very process was started so that it can fork itself. */
export function canForkHere(execArgv: readonly string[] = process.execArgv): boolean {
  return requiredZygoteFlags.every((flag) => execArgv.includes(flag));
}
