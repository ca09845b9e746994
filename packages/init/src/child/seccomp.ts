import { encodePacket, encodeSeccompFd, type SyncMessage } from '@pilotlight/sync';
import type { PlannedSeccomp } from '../seccomp/plan-seccomp.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { attempting } from './step-failure.ts';
import { awaitAnswer } from './sync-peer.ts';

/** Of the listener that nobody knows yet: the real number takes the place of 0. */
const question: SyncMessage = { type: 'procSeccomp', flags: 0, arg: encodeSeccompFd(0) };

/**
 * Loads the filter. From its return on, every system call of this process has to pass it.
 *
 * With notification the parent is told the listener's number, takes a copy, and answers before it
 * hands that to the agent: until then write(2) is made, which a profile must not notify about, and
 * read(2), which it may. The listener itself closes on exec.
 */
export function loadSeccompFilter(sys: Syscall, sync: number, seccomp: PlannedSeccomp): void {
  const filter = Buffer.from(seccomp.filter, 'base64');
  const attempt = 'load the seccomp filter';
  if (!seccomp.notify) {
    attempting(attempt, {}, () => sys.setSeccompFilter(filter, seccomp.flags));
    return;
  }
  const packet = encodePacket(question);
  attempting(attempt, {}, () => sys.setSeccompListener(filter, seccomp.flags, sync, packet));
  awaitAnswer(sys, sync, 'procSeccomp', 'procSeccompDone');
}
