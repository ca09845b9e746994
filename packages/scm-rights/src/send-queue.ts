/** Lets packets go out one at a time, in the order in which they were given. */
export class SendQueue {
  #last: Promise<void> = Promise.resolve();
  #pending = 0;

  /**
   * Calls `attempt` at once if nothing is waiting; if that is not so, or it returns false for lack of room, calls `send` when
   * those before are done. Rejects with what either throws, or with the signal's reason.
   */
  async run(
    attempt: () => boolean,
    send: () => Promise<void>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    signal?.throwIfAborted();
    if (this.#pending === 0 && attempt()) return;
    const turn = this.#last;
    const done = Promise.withResolvers<void>();
    this.#last = done.promise;
    this.#pending += 1;
    try {
      await abortable(turn, signal);
      await send();
    } finally {
      this.#pending -= 1;
      // Also when this send was given up while an earlier one still waits.
      void turn.then(done.resolve);
    }
  }
}

/** Settles as `turn` does, or rejects with the signal's reason before. */
async function abortable(turn: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return turn;
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([turn, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
