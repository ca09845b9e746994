import { FdLeakError, type LeakedFd } from '../errors.ts';
import { observeOwnedFds } from '../owned-fd-observer.ts';

/** How far the stacks go; the interesting call is often behind several of a test framework. */
const STACK_FRAMES = 40;

/** Which OwnedFds were made since {@link traceFds}, and where. */
export class FdTrace implements Disposable {
  readonly #records = new Map<object, LeakedFd>();
  readonly #observing: Disposable;
  readonly #limitBefore: number = Error.stackTraceLimit;

  /** See {@link traceFds}. */
  constructor() {
    Error.stackTraceLimit = Math.max(this.#limitBefore, STACK_FRAMES);
    this.#observing = observeOwnedFds({
      opened: (owned, fd, role) => {
        this.#records.set(owned, { fd, role, stack: framesOf(new Error('opened')) });
      },
      released: (owned) => this.#records.delete(owned),
      attributed: (owned, site) => {
        const record = this.#records.get(owned);
        if (record !== undefined) record.stack = framesOf(site);
      },
    });
  }

  /** Those that are still open, also if nobody refers to them any more. */
  open(): LeakedFd[] {
    return [...this.#records.values()];
  }

  /** Throws FdLeakError, with the stack of the call that opened or received each, if any is still open. */
  check(): void {
    if (this.#records.size > 0) throw new FdLeakError(this.open());
  }

  /** Ends the tracing. Does not check. */
  [Symbol.dispose](): void {
    this.#observing[Symbol.dispose]();
    Error.stackTraceLimit = this.#limitBefore;
  }
}

/**
 * Begins to remember the stack of every call that opens or receives a descriptor, which makes each some ten times dearer.
 *
 * For a descriptor that was received, it is the stack of the `receive` call (for a stream, of what made the stream), because
 * its caller is on the stack no more when it comes.
 */
export function traceFds(): FdTrace {
  return new FdTrace();
}

/** This package: its own frames come first in every stack and say nothing. */
const PACKAGE = new URL('..', import.meta.url).href;

/** The frames of a stack without those of this package at its top; all of them, if there are no others. */
function framesOf({ stack = '' }: Error): string {
  const frames = stack.split('\n').slice(1);
  const first = frames.findIndex((frame) => !isOwn(frame));
  return frames.slice(Math.max(first, 0)).join('\n');
}

function isOwn(frame: string): boolean {
  const own = frame.includes(PACKAGE) || frame.includes(PACKAGE.replace('file://', ''));
  return (own && !/\.test\.[jt]s/.test(frame)) || frame.includes('(<anonymous>)');
}
