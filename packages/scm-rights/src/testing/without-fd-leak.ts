import { FdLeakError } from '../errors.ts';
import { listOpenFds } from './open-fds.ts';
import { traceFds } from './trace-fds.ts';

/**
 * Runs `action` and throws FdLeakError if descriptors are open afterwards that were not before: it names each, what it refers
 * to and, for those that have an OwnedFd, the stack of the call that opened or received it.
 *
 * Nothing else in the process may open any meanwhile. Run once before what makes lasting descriptors on first use.
 */
export async function withoutFdLeak<Result>(
  action: () => Result | Promise<Result>,
): Promise<Result> {
  const before = listOpenFds();
  using trace = traceFds();
  const result = await action();
  const traced = new Map(trace.open().map((record) => [record.fd, record]));
  const leaked = [...listOpenFds()]
    .filter(([fd, target]) => before.get(fd) !== target)
    .map(([fd, target]) => ({ ...traced.get(fd), fd, target }));
  if (leaked.length > 0) throw new FdLeakError(leaked);
  return result;
}
