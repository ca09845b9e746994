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
 * Worth having:
 *
 * - `--no-flush-bytecode`: code of the child stays compiled
 * - `--no-lazy`: all of it is compiled before the first fork, also what the warm-up does not reach, such as the real system calls
 * - `--no-sparkplug`: no child stops to compile what it runs for the last time anyway
 * - `--min-semi-space-size=4`, in MiB: with V8's own first size a child collects garbage on its way, and because of
 *   `--gc-global` all of it
 * - `--expose-gc`: so that the zygote does that between launches
 * - `--disable-sigusr1`: one thread less
 * - `--no-minor-gc-task`: no task is posted when the young generation fills up. Posting one wakes the event
 *   loop through a descriptor that a child has closed, and libuv aborts over that.
 *
 * What the first five are worth: decision 0014.
 */
export const optionalZygoteFlags: readonly string[] = [
  '--no-flush-bytecode',
  '--no-lazy',
  '--no-sparkplug',
  '--min-semi-space-size=4',
  '--expose-gc',
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
