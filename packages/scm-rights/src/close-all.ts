import { OwnedFd } from './owned-fd.ts';

/** Closes every descriptor, whatever happens to the others; the first failure is thrown at the end. */
export function closeAll(fds: Iterable<OwnedFd | number>): void {
  const failures: unknown[] = [];
  for (const fd of fds) {
    try {
      (typeof fd === 'number' ? new OwnedFd(fd) : fd).close();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, 'close descriptors: several failed');
}
