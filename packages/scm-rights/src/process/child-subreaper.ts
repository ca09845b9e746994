import { prctl } from '../libc/prctl.ts';

const PR_SET_CHILD_SUBREAPER = 36;

/**
 * Makes this process the one that gets the orphans among its descendants, or no longer; `prctl(2)`
 * PR_SET_CHILD_SUBREAPER, Linux 3.4.
 *
 * An orphan becomes a child of its nearest living subreaper before anybody is told of its parent's end, and an orphan that
 * is dead already comes along as a zombie. Node waits only for what it spawned itself: the caller reaps the others, with
 * {@link reapChild}. It holds for the whole process, stays over execve(2) and is not inherited. Throws SyscallError.
 */
export function setChildSubreaper(on = true): void {
  prctl(PR_SET_CHILD_SUBREAPER, on ? 1 : 0);
}
