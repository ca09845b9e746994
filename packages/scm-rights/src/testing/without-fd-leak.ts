import { FdLeakError } from '../errors.ts';
import { listOpenFds } from './open-fds.ts';

/**
 * Runs `action` and throws FdLeakError, naming each, if descriptors are open afterwards that were not before.
 *
 * Nothing else in the process may open any meanwhile. Run once before what makes lasting descriptors on first use.
 */
export async function withoutFdLeak<Result>(
  action: () => Result | Promise<Result>,
): Promise<Result> {
  const before = listOpenFds();
  const result = await action();
  const leaked = [...listOpenFds()]
    .filter(([fd, target]) => before.get(fd) !== target)
    .map(([fd, target]) => `${fd} (${target})`);
  if (leaked.length > 0) throw new FdLeakError(leaked);
  return result;
}
