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

/** Worth having: code of the child stays compiled, and one thread less. */
export const optionalZygoteFlags: readonly string[] = ['--no-flush-bytecode', '--disable-sigusr1'];

/**
 * What a process needs that forks itself with the whole library loaded.
 *
 * `--min-semi-space-size`: its heap is already large, and a collection in the child would post a
 * task to libuv, whose eventfd the child has closed: libuv aborts on EBADF. With room for what the
 * child allocates there is no collection before its execve.
 */
export const localZygoteFlags: readonly string[] = [
  ...requiredZygoteFlags,
  '--min-semi-space-size=16',
];

/** Whether this very process was started so that it can fork itself. */
export function canForkHere(execArgv: readonly string[] = process.execArgv): boolean {
  return localZygoteFlags.every((flag) => execArgv.includes(flag));
}
