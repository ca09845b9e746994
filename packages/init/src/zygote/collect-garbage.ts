/** Some 20 KB of garbage come from each launch: this leaves most of the young generation to the child. */
const launchesBetween = 64;

/** What `--expose-gc` gives; a Node that did not know one of the flags has none, and its children collect for themselves. */
const collect = (globalThis as { gc?: () => void }).gc ?? ((): void => undefined);

/**
 * Collects this process's garbage now and then between launches, in a few milliseconds. A child
 * begins with as much free space as there is here, and would have to do it in the middle of its launch.
 */
export class GarbageCollection {
  #launches = 0;

  now(): void {
    collect();
  }

  afterLaunch(): void {
    this.#launches++;
    if (this.#launches % launchesBetween === 0) this.now();
  }
}
