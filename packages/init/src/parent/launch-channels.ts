import { type Channel, channel } from 'node:diagnostics_channel';
import type { LaunchPhase } from './phases.ts';

/** On `pilotlight:launch:start`: a configuration was accepted, and its launch begins. */
export type LaunchStartEvent = { readonly id: string };

/** On `pilotlight:launch:phase`: one phase is over. */
export type LaunchPhaseEvent = LaunchPhase & { readonly id: string };

/** On `pilotlight:launch:end`: the program runs. */
export type LaunchEndEvent = {
  readonly id: string;
  readonly pid: number;
  readonly phases: readonly LaunchPhase[];
};

/** On `pilotlight:launch:error`: the launch failed, and nothing of it is left. */
export type LaunchErrorEvent = {
  readonly id: string;
  readonly error: unknown;
  readonly phases: readonly LaunchPhase[];
};

/** On `pilotlight:launch:abort`: a prepared launch was given up before its program ran. */
export type LaunchAbortEvent = { readonly id: string; readonly phases: readonly LaunchPhase[] };

/**
 * What launches tell on `node:diagnostics_channel`. `start` is followed by `phase` events and by
 * exactly one of `end`, `error` and `abort`. Without subscribers they cost a look at a boolean.
 *
 *     import { subscribe } from 'node:diagnostics_channel';
 *     subscribe('pilotlight:launch:phase', ({ id, name, durationMs }) => { … });
 */
export const launchChannels: {
  readonly start: Channel;
  readonly phase: Channel;
  readonly end: Channel;
  readonly error: Channel;
  readonly abort: Channel;
} = {
  start: channel('pilotlight:launch:start'),
  phase: channel('pilotlight:launch:phase'),
  end: channel('pilotlight:launch:end'),
  error: channel('pilotlight:launch:error'),
  abort: channel('pilotlight:launch:abort'),
};

/** On `pilotlight:zygote:fallback`: this Node cannot be forked, and launches spawn a second Node instead. */
export type ZygoteFallbackEvent = {
  /** The message of `error`. */
  readonly reason: string;
  /** A ZygoteError. */
  readonly error: unknown;
};

/** What the shared zygote tells on `node:diagnostics_channel`. */
export const zygoteChannels: { readonly fallback: Channel } = {
  fallback: channel('pilotlight:zygote:fallback'),
};
