import type { SyncEnd, SyncType } from '../sync-type.ts';

/**
 * One step of a dialogue: what may be said next, and where that leads.
 * Who says it follows from the type alone (see `types` of the table).
 */
export type HandshakeStep<Type extends string = SyncType> = {
  readonly next: { readonly [type in Type]?: string };
  /** The ends that may see end of file here; elsewhere it means that the peer is lost. */
  readonly endOfFile: readonly SyncEnd[];
};

/**
 * The legal order of a dialogue as data: a graph of steps that both ends walk together.
 * One table serves both ends, because at most one message is under way at any time.
 */
export type HandshakeTable<Type extends string = SyncType> = {
  readonly name: string;
  readonly start: string;
  readonly steps: { readonly [step: string]: HandshakeStep<Type> };
  /** The types of the dialect with the end that sends each; `syncTypes` when absent. */
  readonly types?: Readonly<Record<Type, { readonly sender: SyncEnd }>>;
};

/** The step that procError leads to from everywhere: the child has reported and exits. */
export const failedStep = 'failed';
