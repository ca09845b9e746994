/** Lets a number of tasks run at the same time; the others wait for their turn. */
export class Limiter {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** What `task` gives, when it has had its turn. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#most) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running += 1;
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      // It takes over the place.
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
