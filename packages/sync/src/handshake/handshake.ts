import { HandshakeError, type HandshakeFault } from '../errors.ts';
import { syncTypes, type SyncEnd, type SyncType } from '../sync-type.ts';
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
export type Handshake<Type extends string = SyncType> = {
  /** The current step, as the table names it. */
  readonly step: string;
  readonly outcome: HandshakeOutcome;
  /** The types that may be exchanged next, in the order of the dialect's table of types. */
  readonly expected: readonly Type[];
  /** The same as text with the sender of each, and `end of file` where it may come. */
  readonly due: readonly string[];
  /** Call it before sending, so that an illegal message is never sent. */
  sent(type: Type): void;
  /** Call it for every message that arrived, before acting upon it. */
  received(type: Type): void;
  /** Call it at end of file. Calling it again changes nothing. */
  ended(): void;
};

/**
 * A tracker at the first step of a table, for the end that the caller is.
 * Throws RangeError for a table that leads to a step it does not have, or has a type whose sender
 * it does not tell.
 */
export function createHandshake<Type extends string>(
  table: HandshakeTable<Type>,
  end: SyncEnd,
): Handshake<Type> {
  const types: Partial<Types> = table.types ?? syncTypes;
  requireClosed(table, types);
  return new TableHandshake(table, types as Types, end);
}

type Types = Readonly<Record<string, { readonly sender: SyncEnd }>>;

function requireClosed<Type extends string>(
  { name, start, steps }: HandshakeTable<Type>,
  types: Partial<Types>,
): void {
  if (!Object.hasOwn(steps, start)) {
    throw new RangeError(`${name}: it starts at "${start}", which is not a step`);
  }
  for (const [step, { next }] of Object.entries(steps)) {
    for (const [type, target] of Object.entries<string>(next as Record<string, string>)) {
      if (!Object.hasOwn(types, type)) {
        throw new RangeError(`${name}: the step "${step}" has ${type}, whose sender is not known`);
      }
      if (!Object.hasOwn(steps, target)) {
        throw new RangeError(
          `${name}: the step "${step}" leads to "${target}", which is not a step`,
        );
      }
    }
  }
}

class TableHandshake<Type extends string> implements Handshake<Type> {
  readonly #table: HandshakeTable<Type>;
  readonly #types: Types;
  readonly #end: SyncEnd;
  readonly #peer: SyncEnd;
  readonly #seen = new Set<Type>();
  #step: string;
  #ended = false;

  constructor(table: HandshakeTable<Type>, types: Types, end: SyncEnd) {
    this.#table = table;
    this.#types = types;
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

  get expected(): readonly Type[] {
    if (this.#ended) return [];
    const { next } = this.#rule();
    return (Object.keys(this.#types) as Type[]).filter((type) => next[type] !== undefined);
  }

  get due(): readonly string[] {
    const due: string[] = this.expected.map((type) => `${type} from ${this.#senderOf(type)}`);
    if (!this.#ended && this.#rule().endOfFile.includes(this.#end)) due.push('end of file');
    return due;
  }

  sent(type: Type): void {
    this.#exchange(type, this.#end);
  }

  received(type: Type): void {
    this.#exchange(type, this.#peer);
  }

  ended(): void {
    if (this.#ended) return;
    if (!this.#rule().endOfFile.includes(this.#end)) {
      throw this.#error('missing', 'end of file', this.#peer);
    }
    this.#ended = true;
  }

  #exchange(type: Type, sender: SyncEnd): void {
    const { next }: { next: Readonly<Record<string, string | undefined>> } = this.#rule();
    const target = next[type];
    if (this.#ended || target === undefined || this.#senderOf(type) !== sender) {
      throw this.#error(this.#fault(type, sender), type, sender);
    }
    this.#seen.add(type);
    this.#step = target;
  }

  #senderOf(type: Type): SyncEnd | undefined {
    return this.#types[type]?.sender;
  }

  #rule(): HandshakeStep<Type> {
    // requireClosed has shown that every step has its rule.
    return this.#table.steps[this.#step] as HandshakeStep<Type>;
  }

  #fault(type: Type, sender: SyncEnd): HandshakeFault {
    const known = Object.values(this.#table.steps).some(({ next }) => next[type] !== undefined);
    if (!known || this.#senderOf(type) !== sender) return 'foreign';
    return this.#seen.has(type) ? 'duplicate' : 'out-of-order';
  }

  #error(fault: HandshakeFault, received: string, from: SyncEnd): HandshakeError {
    return new HandshakeError({
      fault,
      handshake: this.#table.name,
      step: this.#step,
      expected: this.due,
      received,
      from,
    });
  }
}
