import { expect, test } from 'vitest';
import { isSyncError } from '../errors.ts';
import type { HandshakeTable } from '../handshake/handshake-table.ts';
import { createHandshake, type Handshake } from '../handshake/handshake.ts';
import type { SyncEnd } from '../sync-type.ts';
import { dialects } from './dialects.ts';

// Every dialogue, a second time, as all the orders that lead to success.
const hooks = 'procHooks procResume';
const ready = 'procReady procRun';
const console = 'procConsole procConsoleReq procConsoleAck';
const seccomp = 'procSeccomp procSeccompDone';

const orders: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'runc-0.0.1': { standard: [''], setns: [''] },
  'runc-0.0.7': { standard: [ready, `${ready} procStart`], setns: [''] },
  'runc-0.0.9': { standard: [`${hooks} ${ready}`], standardWithoutMounts: [ready], setns: [''] },
  'runc-2016-12-01': {
    standard: [`${hooks} ${ready}`],
    standardWithoutMounts: [ready],
    setns: [''],
  },
  'runc-console': {
    standard: [`${hooks} ${ready}`, `${hooks} ${console} ${ready}`],
    standardWithoutMounts: [ready, `${console} ${ready}`],
    setns: ['', console],
  },
  'runc-1.0': { standard: [`${hooks} ${ready}`], standardWithoutMounts: [ready], setns: [''] },
  'runc-1.1.0': {
    standard: [`${hooks} ${ready}`, `${hooks} ${ready} ${seccomp}`],
    setns: ['', seccomp],
  },
  'runc-1.1.13': {
    standard: [`${hooks} ${ready}`, `${hooks} ${ready} ${seccomp}`],
    setns: [ready, `${ready} ${seccomp}`],
  },
  embedshim: { exec: ['execPid execPidDone execStatus execStatusDone'] },
};

type Case = { name: string; table: HandshakeTable<string>; words: readonly string[] };

const cases: readonly Case[] = Object.entries(orders).flatMap(([name, byInit]) => {
  const { handshakes } = dialects[name as keyof typeof dialects];
  const tables = handshakes as Readonly<Record<string, HandshakeTable<string>>>;
  return Object.entries(byInit).map(([init, words]) => ({
    name: `${init} of ${name}`,
    table: tables[init] as HandshakeTable<string>,
    words,
  }));
});

function tell(
  handshake: Handshake<string>,
  table: HandshakeTable<string>,
  end: SyncEnd,
  type: string,
) {
  if (table.types?.[type]?.sender === end) handshake.sent(type);
  else handshake.received(type);
}

function accepts(call: () => void): boolean {
  try {
    call();
    return true;
  } catch (error) {
    if (isSyncError(error) && error.code === 'ERR_SYNC_HANDSHAKE') return false;
    throw error;
  }
}

/** Every sequence of types that the table accepts from its start, and whether it may end there. */
function walk({ table }: Case, end: SyncEnd): { ends: string[]; all: Set<string> } {
  const ends: string[] = [];
  const all = new Set<string>();
  const pending: string[][] = [[]];
  for (let sequence = pending.pop(); sequence !== undefined; sequence = pending.pop()) {
    all.add(sequence.join(' '));
    expect(sequence.length).toBeLessThan(12);
    const at = (): Handshake<string> => {
      const handshake = createHandshake(table, end);
      for (const type of sequence ?? []) tell(handshake, table, end, type);
      return handshake;
    };
    const handshake = at();
    if (accepts(() => handshake.ended())) ends.push(sequence.join(' '));
    for (const type of Object.keys(table.types ?? {})) {
      if (accepts(() => tell(at(), table, end, type))) pending.push([...sequence, type]);
    }
  }
  return { ends, all };
}

test.each(
  cases.flatMap((each) => [
    { ...each, end: 'parent' as const },
    { ...each, end: 'child' as const },
  ]),
)('the table for $name accepts at the $end its orders and an error at every step', (each) => {
  const failure = each.table.name.includes('embedshim') ? 'error' : 'procError';
  const prefixes = new Set<string>();
  const complete = new Set(each.words);
  for (const word of each.words) {
    const types = word === '' ? [] : word.split(' ');
    for (let length = 0; length <= types.length; length += 1) {
      prefixes.add(types.slice(0, length).join(' '));
    }
  }
  // embedshim's dialogue is over with its last message; runc's child may still fail to execute.
  const finished = failure === 'error' ? complete : new Set(['procStart']);
  const failing = [...prefixes]
    .filter((prefix) => !finished.has(prefix) || failure !== 'error')
    .map((prefix) => `${prefix} ${failure}`.trim());
  const { ends, all } = walk(each, each.end);
  expect(all).toEqual(new Set([...prefixes, ...failing]));
  expect(new Set(ends)).toEqual(new Set([...complete, ...failing]));
});

test('every stream dialect has the handshakes that are listed here and no others', () => {
  const streams = Object.values(dialects).filter(({ framing }) => framing === 'stream');
  const names = streams.map(({ name, handshakes }) => [name, Object.keys(handshakes).toSorted()]);
  expect(Object.fromEntries(names)).toEqual(
    Object.fromEntries(
      Object.entries(orders).map(([name, byInit]) => [name, Object.keys(byInit).toSorted()]),
    ),
  );
});

test('a table of numbers tells what it expected in names', () => {
  const handshake = createHandshake(dialects['runc-0.0.9'].handshakes.standard, 'parent');
  expect(() => handshake.received('procReady')).toThrow(
    'standard init of runc 0.0.9, step "setting up": expected procError from child or procHooks from child, received procReady from child (out-of-order)',
  );
});

test('createHandshake refuses a table with a type whose sender it does not tell', () => {
  const table: HandshakeTable<string> = {
    name: 'broken',
    start: 'a',
    steps: { a: { next: { procMystery: 'a' }, endOfFile: [] } },
  };
  expect(() => createHandshake(table, 'parent')).toThrow(
    new RangeError('broken: the step "a" has procMystery, whose sender is not known'),
  );
});
