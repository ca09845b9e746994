import { performance } from 'node:perf_hooks';
import { launchChannels } from './launch-channels.ts';

/** One phase of a launch. */
export type LaunchPhase = {
  name: string;
  /** From the start of the launch, in milliseconds. */
  startMs: number;
  durationMs: number;
};

/** Cuts a launch into phases: each ends when the next begins. Tells subscribers, see launch-channels.ts. */
export class PhaseClock {
  readonly phases: LaunchPhase[] = [];
  readonly #id: string;
  readonly #started: number = performance.now();
  #begin: number = this.#started;
  #isOver = false;

  constructor(id: string) {
    this.#id = id;
    const { start } = launchChannels;
    if (start.hasSubscribers) start.publish({ id });
  }

  /** Everything since the last mark belongs to the phase `name`. */
  mark(name: string): void {
    const now = performance.now();
    const phase = {
      name,
      startMs: this.#begin - this.#started,
      durationMs: now - this.#begin,
    };
    this.phases.push(phase);
    this.#begin = now;
    const { phase: channel } = launchChannels;
    if (channel.hasSubscribers) channel.publish({ id: this.#id, ...phase });
  }

  /** What passed since the last mark belongs to nobody: the caller held the launch. */
  skip(): void {
    this.#begin = performance.now();
  }

  /** The launch is over; only the first call is told. */
  finish(outcome: 'end' | 'error' | 'abort', facts: object = {}): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const channel = launchChannels[outcome];
    if (channel.hasSubscribers) channel.publish({ id: this.#id, ...facts, phases: this.phases });
  }
}
