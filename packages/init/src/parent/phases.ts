import { performance } from 'node:perf_hooks';

/** One phase of a launch. */
export type LaunchPhase = {
  name: string;
  /** From the start of the launch, in milliseconds. */
  startMs: number;
  durationMs: number;
};

/** Cuts a launch into phases: each ends when the next begins. */
export class PhaseClock {
  readonly phases: LaunchPhase[] = [];
  readonly #started: number = performance.now();
  #begin: number = this.#started;

  /** Everything since the last mark belongs to the phase `name`. */
  mark(name: string): void {
    const now = performance.now();
    this.phases.push({
      name,
      startMs: this.#begin - this.#started,
      durationMs: now - this.#begin,
    });
    this.#begin = now;
  }

  /** What passed since the last mark belongs to nobody: the caller held the launch. */
  skip(): void {
    this.#begin = performance.now();
  }
}
