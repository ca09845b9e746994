import { Script } from 'node:vm';
import { isSyscallError } from '@pilotlight/scm-rights';
import { close, pidfdSendSignal, poll, POLLIN, waitid } from '@pilotlight/scm-rights/libc';
import type { Syscall } from '../syscall/syscall.ts';
import type { Forker } from './forker.ts';

const expectedExit = 7;
const SIGKILL = 9;
const FIRST_AFTER_STREAMS = 3;
/** SIGILL, SIGTRAP, SIGBUS, SIGSEGV: a page that was mapped at the wrong moment, which a launch survives by a second try. */
const crashSignals = [4, 5, 7, 11];

/** What a child of the self-test does, and how long it may take. */
type Level = { timeoutMs: number; exercise: () => boolean };

const levels: Readonly<Record<'quick' | 'full', Level>> = {
  // Some 3 ms: on a Node whose threads do not survive a fork, a few tries of this are enough.
  quick: { timeoutMs: 2000, exercise: () => allocate(5000) > 0 },
  // Some 100 ms: through garbage collections, and with code that nobody has compiled yet.
  full: {
    timeoutMs: 10_000,
    exercise: () => allocate(60_000) > 0 && compileAnew(200) === 200,
  },
};

/**
 * Forks and lets the child allocate: on a Node whose threads or memory do not survive a fork
 * it hangs or crashes.
 *
 * @returns why this process is unfit, or `undefined` when it is fit
 */
export function selfTest(
  sys: Syscall,
  forker: Forker,
  level: 'quick' | 'full' = 'quick',
): string | undefined {
  try {
    const first = forkOnce(sys, forker, levels[level]);
    return first.crashed ? forkOnce(sys, forker, levels[level]).reason : first.reason;
  } catch (error) {
    if (isSyscallError(error) && !transientErrors.includes(error.code)) return error.message;
    throw error;
  }
}

/** For want of resources, which may be there at the next start. */
const transientErrors = ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'];

type Outcome = { reason: string | undefined; crashed: boolean };

function forkOnce(sys: Syscall, forker: Forker, { timeoutMs, exercise }: Level): Outcome {
  const { pidfd } = forker.fork({
    cloneFlags: 0,
    child() {
      try {
        // As a child of a launch does: what V8 posts to the event loop from here on has nowhere to go.
        sys.closeRange(FIRST_AFTER_STREAMS, 0);
        return sys.exit(exercise() ? expectedExit : 1);
      } catch {
        return sys.exit(2);
      }
    },
  });
  try {
    const timedOut = (poll(pidfd, POLLIN, timeoutMs) & POLLIN) === 0;
    if (timedOut) pidfdSendSignal(pidfd, SIGKILL);
    const status = waitid(pidfd)?.status ?? 0;
    if (timedOut) {
      return { reason: `a forked child did not end within ${timeoutMs} ms`, crashed: false };
    }
    if (status === expectedExit << 8) return { reason: undefined, crashed: false };
    return {
      reason: `a forked child ended with wait status 0x${status.toString(16)}`,
      crashed: crashSignals.includes(status & 0x7f),
    };
  } finally {
    close(pidfd);
  }
}

function allocate(count: number): number {
  const objects: { value: number; text: string }[] = [];
  let sum = 0;
  for (let value = 0; value < count; value++) {
    objects.push({ value, text: `object ${value}` });
    // Drops most of them again, so that there is something to collect.
    if (objects.length === 1000) sum += objects.splice(0, 900).length;
  }
  return objects.reduce((total, { value }) => total + value, sum);
}

function compileAnew(count: number): number {
  let done = 0;
  for (let index = 0; index < count; index++) {
    // Two functions from their text: with their number in it no cache knows them.
    const text = `(n) => { const step = () => ${index} * 0 + 1; return n + step(); }`;
    const increment = new Script(text).runInThisContext() as (n: number) => number;
    done = increment(done);
  }
  return done;
}
