import { HandshakeError, type HandshakeFault } from '../errors.ts';
import { syncTypeNames, syncTypes, type SyncEnd, type SyncType } from '../sync-type.ts';
import { failedStep, type HandshakeStep, type HandshakeTable } from './handshake-table.ts';

/**
 * How far a dialogue has come.
 * - `open`: it goes on
 * - `succeeded`: the channel ended where it may
 * - `failed`: the child has sent procError; only end of file may follow
 */
export type HandshakeOutcome = 'open' | 'succeeded' | 'failed';

/**
 * Follows one dialogue from one end and refuses what its table does not allow.
 * It does no I/O: tell it what was sent and what arrived. A refused event throws HandshakeError
 * and leaves the tracker where it was.
 */
export type Handshake = {
  /** The current step, as the table names it. */
  readonly step: string;
  readonly outcome: HandshakeOutcome;
  /** The types that may be exchanged next, in the order of `syncTypes`. */
  readonly expected: readonly SyncType[];
  /** Call it before sending, so that an illegal message is never sent. */
  sent(type: SyncType): void;
  /** Call it for every message that arrived, before acting upon it. */
  received(type: SyncType): void;
  /** Call it at end of file. Calling it again changes nothing. */
  ended(): void;
};

/**
 * A tracker at the first step of a table, for the end that the caller is.
 * Throws RangeError for a table that leads to a step it does not have.
 */
export function createHandshake(table: HandshakeTable, end: SyncEnd): Handshake {
  requireClosed(table);
  return new TableHandshake(table, end);
}

function requireClosed({ name, start, steps }: HandshakeTable): void {
  if (!Object.hasOwn(steps, start)) {
    throw new RangeError(`${name}: it starts at "${start}", which is not a step`);
  }
  for (const [step, { next }] of Object.entries(steps)) {
    for (const target of Object.values(next)) {
      if (!Object.hasOwn(steps, target)) {
        throw new RangeError(
          `${name}: the step "${step}" leads to "${target}", which is not a step`,
        );
      }
    }
  }
}

class TableHandshake implements Handshake {
  readonly #table: HandshakeTable;
  readonly #end: SyncEnd;
  readonly #peer: SyncEnd;
  readonly #seen = new Set<SyncType>();
  #step: string;
  #ended = false;

  constructor(table: HandshakeTable, end: SyncEnd) {
    this.#table = table;
    this.#end = end;
    this.#peer = end === 'parent' ? 'child' : 'parent';
    this.#step = table.start;
  }

  get step(): string {
    return this.#step;
  }

  get outcome(): HandshakeOutcome {
    if (this.#step === failedStep) return 'failed';
    return this.#ended ? 'succeeded' : 'open';
  }

  get expected(): readonly SyncType[] {
    if (this.#ended) return [];
    const { next } = this.#rule();
    return syncTypeNames.filter((type) => next[type] !== undefined);
  }

  sent(type: SyncType): void {
    this.#exchange(type, this.#end);
  }

  received(type: SyncType): void {
    this.#exchange(type, this.#peer);
  }

  ended(): void {
    if (this.#ended) return;
    if (!this.#rule().endOfFile.includes(this.#end)) {
      throw this.#error('missing', 'end of file', this.#peer);
    }
    this.#ended = true;
  }

  #exchange(type: SyncType, sender: SyncEnd): void {
    const target = this.#rule().next[type];
    if (this.#ended || target === undefined || syncTypes[type].sender !== sender) {
      throw this.#error(this.#fault(type, sender), type, sender);
    }
    this.#seen.add(type);
    this.#step = target;
  }

  #rule(): HandshakeStep {
    // requireClosed has shown that every step has its rule.
    return this.#table.steps[this.#step] as HandshakeStep;
  }

  #fault(type: SyncType, sender: SyncEnd): HandshakeFault {
    const known = Object.values(this.#table.steps).some(({ next }) => next[type] !== undefined);
    if (!known || syncTypes[type].sender !== sender) return 'foreign';
    return this.#seen.has(type) ? 'duplicate' : 'out-of-order';
  }

  #error(fault: HandshakeFault, received: string, from: SyncEnd): HandshakeError {
    const expected: string[] = this.expected.map(
      (name) => `${name} from ${syncTypes[name].sender}`,
    );
    if (!this.#ended && this.#rule().endOfFile.includes(this.#end)) expected.push('end of file');
    return new HandshakeError({
      fault,
      handshake: this.#table.name,
      step: this.#step,
      expected,
      received,
      from,
    });
  }
}
