import type { OwnedFd } from '@pilotlight/scm-rights';

/** Descriptors that are kept under names. The owner of all of them. */
export class Holdings implements Disposable {
  readonly #held = new Map<string, OwnedFd>();

  get size(): number {
    return this.#held.size;
  }

  /** Takes over a descriptor, in place of the one of that name. */
  put(name: string, fd: OwnedFd): void {
    this.#held.get(name)?.close();
    this.#held.set(name, fd);
  }

  /** Still owned here. */
  get(name: string): OwnedFd | undefined {
    return this.#held.get(name);
  }

  names(): string[] {
    return [...this.#held.keys()];
  }

  entries(): IterableIterator<[string, OwnedFd]> {
    return this.#held.entries();
  }

  release(name: string): void {
    this.#held.get(name)?.close();
    this.#held.delete(name);
  }

  [Symbol.dispose](): void {
    for (const name of this.names()) this.release(name);
  }
}
