type Outcome<T> = { value: T } | { error: unknown };

interface Request<T, O> {
  readonly options: O;
  readonly settle: (outcome: Outcome<T>) => void;
}

/**
 * Gets the next arrival. It may give up only when the signal is aborted, by throwing its reason, and only if it has taken
 * nothing. `options` tells those of the request that is first at that moment.
 */
export type Take<T, O> = (signal: AbortSignal, options: () => O) => Promise<T>;

/**
 * Serves pending receives in the order they were made, one arrival each.
 *
 * What was taken for a request that was aborted meanwhile goes to the next request: nothing is lost.
 */
export class ReceiveQueue<T, O> {
  readonly #take: Take<T, O>;
  readonly #discard: (value: T) => void;
  readonly #requests: Request<T, O>[] = [];
  readonly #kept: Outcome<T>[] = [];
  #serving = false;
  #stop: AbortController | undefined;
  #closedWith: { error: unknown } | undefined;

  /** `discard` releases an arrival that nobody will take any more. */
  constructor(take: Take<T, O>, discard: (value: T) => void) {
    this.#take = take;
    this.#discard = discard;
  }

  /** Whether a receive is being served or an arrival is kept: then nobody may take past the queue. */
  get busy(): boolean {
    return this.#serving || this.#kept.length > 0;
  }

  /** The next arrival. Rejects with the signal's reason, with what `take` threw, or with what {@link close} was given. */
  async receive(options: O, signal?: AbortSignal): Promise<T> {
    if (this.#closedWith !== undefined) throw this.#closedWith.error;
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const request: Request<T, O> = {
      options,
      settle: (outcome) => {
        signal?.removeEventListener('abort', abort);
        if ('value' in outcome) resolve(outcome.value);
        else reject(outcome.error);
      },
    };
    const abort = (): void => {
      this.#requests.splice(this.#requests.indexOf(request), 1);
      request.settle({ error: signal?.reason });
      if (this.#requests.length === 0) this.#stop?.abort();
    };
    signal?.addEventListener('abort', abort, { once: true });
    this.#requests.push(request);
    if (!this.#serving) void this.#serve(options);
    return promise;
  }

  /** Rejects pending and later receives with `error` and discards what was kept. */
  close(error: unknown): void {
    if (this.#closedWith !== undefined) return;
    this.#closedWith = { error };
    for (const request of this.#requests.splice(0)) request.settle({ error });
    for (const outcome of this.#kept.splice(0)) this.#drop(outcome);
    this.#stop?.abort();
  }

  async #serve(first: O): Promise<void> {
    this.#serving = true;
    let last = first;
    const options = (): O => (last = this.#requests[0]?.options ?? last);
    while (this.#requests.length > 0) {
      const outcome = this.#kept.shift() ?? (await this.#next(options));
      if (outcome === undefined) continue;
      const request = this.#requests.shift();
      if (request !== undefined) request.settle(outcome);
      else if (this.#closedWith === undefined) this.#kept.push(outcome);
      else this.#drop(outcome);
    }
    this.#serving = false;
  }

  /** One arrival, or undefined if it gave up because all requests were withdrawn. */
  async #next(options: () => O): Promise<Outcome<T> | undefined> {
    const stop = new AbortController();
    this.#stop = stop;
    try {
      return { value: await this.#take(stop.signal, options) };
    } catch (error) {
      return stop.signal.aborted && error === stop.signal.reason ? undefined : { error };
    } finally {
      this.#stop = undefined;
    }
  }

  #drop(outcome: Outcome<T>): void {
    if ('value' in outcome) this.#discard(outcome.value);
  }
}
