import { expect, test } from 'vitest';
import { HandshakeError } from '../errors.ts';
import { syncTypeNames, syncTypes, type SyncEnd, type SyncType } from '../sync-type.ts';
import { failedStep, type HandshakeTable } from './handshake-table.ts';
import { createHandshake, type Handshake } from './handshake.ts';
import { setnsInit, setnsInitSilent } from './setns-init.ts';
import { standardInit } from './standard-init.ts';

// The dialogues are written down a second time here, as words over one letter per message,
// and compared with the tables sequence by sequence.
const letters: Readonly<Record<SyncType, string>> = {
  procError: 'E',
  procReady: 'r',
  procRun: 'R',
  procHooks: 'h',
  procHooksDone: 'H',
  procSeccomp: 's',
  procSeccompDone: 'S',
  procMountPlease: 'm',
  procMountFd: 'M',
};
const longest = 9;

type Dialogue = { readonly table: HandshakeTable; readonly words: readonly string[] };

const dialogues: readonly Dialogue[] = [
  {
    table: standardInit,
    words: ['', 'mM', 'mMmM', 'mMmMmM', 'mMmMmMmM', 'mMmMmMmMmM'].flatMap((m) => [
      `${m}hHrR`,
      `${m}hHrRsS`,
    ]),
  },
  { table: setnsInit, words: ['rR', 'rRsS'] },
  { table: setnsInitSilent, words: ['', 'sS'] },
];
const cases = dialogues.flatMap((dialogue) =>
  (['parent', 'child'] as const).map((end) => ({ ...dialogue, name: dialogue.table.name, end })),
);

test.each(cases)('createHandshake accepts the order of $name at the $end', (dialogue) => {
  const { table, words, end } = dialogue;
  const legal = new Set(words.flatMap((word) => prefixes(word)).flatMap((p) => [p, `${p}E`]));
  const reached = sequences((sequence) => tellAll(table, end, sequence) !== undefined);
  expect(new Set(reached)).toEqual(new Set([...legal].filter((word) => word.length <= longest)));
});

test.each(cases)('createHandshake accepts end of file of $name at the $end where it may', (d) => {
  const { table, words, end } = d;
  const reached = sequences((sequence) => tellAll(table, end, sequence) !== undefined);
  const seen = reached.map((sequence) => {
    const handshake = tellAll(table, end, sequence);
    return { sequence, ends: accepts(() => handshake?.ended()), outcome: handshake?.outcome };
  });
  const due = reached.map((sequence) => {
    if (sequence.endsWith('E')) return { sequence, ends: true, outcome: 'failed' };
    const ends = words.includes(sequence);
    return { sequence, ends, outcome: ends ? 'succeeded' : 'open' };
  });
  expect(seen).toEqual(due);
});

test.each(cases)('createHandshake refuses messages of the wrong end of $name at the $end', (d) => {
  const { table, words, end } = d;
  const tried = words
    .flatMap((word) => prefixes(word))
    .flatMap((prefix) =>
      syncTypeNames.map((type) => {
        const handshake = tellAll(table, end, prefix);
        const step = handshake?.step;
        const told = syncTypes[type].sender === end ? 'received' : 'sent';
        const error = handshakeErrorOf(() => handshake?.[told](type));
        return { prefix, type, fault: error?.fault, stayed: handshake?.step === step };
      }),
    );
  const bad = tried.filter(({ fault, stayed }) => fault !== 'foreign' || !stayed);
  expect(tried.length).toBeGreaterThan(0);
  expect(bad).toEqual([]);
});

test.each(cases)('createHandshake of $name at the $end accepts nothing after the end', (d) => {
  const handshake = tellAll(d.table, d.end, d.words.at(-1) ?? '');
  handshake?.ended();
  handshake?.ended();
  expect(handshake?.expected).toEqual([]);
  const accepted = syncTypeNames.filter((type) =>
    accepts(() => handshake && tell(handshake, d.end, type)),
  );
  expect(accepted).toEqual([]);
});

test.each(dialogues)('$table.name has no step that leads nowhere or cannot be reached', (d) => {
  const steps = Object.entries(d.table.steps);
  const targets = steps.flatMap(([, { next }]) => Object.values(next));
  expect(new Set([d.table.start, ...targets])).toEqual(new Set(Object.keys(d.table.steps)));
  const withoutError = steps.filter(([, { next }]) => next.procError !== failedStep);
  expect(withoutError.map(([name]) => name)).toEqual([failedStep]);
});

test('Handshake names step, expected and received when a message comes too early', () => {
  const handshake = createHandshake(standardInit, 'parent');
  expect(() => handshake.received('procReady')).toThrow(
    'standard init, step "setting up": expected procError from child or procHooks from child or procMountPlease from child, received procReady from child (out-of-order)',
  );
});

test('Handshake calls a message that came before a duplicate', () => {
  const handshake = tellAll(standardInit, 'parent', 'hH');
  expect(() => handshake?.received('procHooks')).toThrow(
    expect.objectContaining({ fault: 'duplicate', step: 'hooks done', received: 'procHooks' }),
  );
});

test('Handshake calls a message that the dialogue does not have foreign', () => {
  const handshake = createHandshake(setnsInit, 'parent');
  expect(() => handshake.received('procMountPlease')).toThrow(
    expect.objectContaining({ fault: 'foreign', from: 'child', expected: expect.any(Array) }),
  );
});

test('Handshake calls an early end of file a missing message', () => {
  const handshake = tellAll(standardInit, 'child', 'h');
  expect(() => handshake?.ended()).toThrow(
    expect.objectContaining({
      fault: 'missing',
      received: 'end of file',
      from: 'parent',
      expected: ['procError from child', 'procHooksDone from parent'],
    }),
  );
});

test('Handshake tells what may come next, end of file included', () => {
  const handshake = tellAll(standardInit, 'parent', 'hHrR');
  expect(handshake?.expected).toEqual(['procError', 'procSeccomp']);
  expect(() => handshake?.sent('procRun')).toThrow(
    expect.objectContaining({
      expected: ['procError from child', 'procSeccomp from child', 'end of file'],
    }),
  );
});

test('createHandshake refuses a table whose steps lead to one that is not there', () => {
  const table: HandshakeTable = {
    name: 'broken',
    start: 'a',
    steps: { a: { next: { procReady: 'b' }, endOfFile: [] } },
  };
  expect(() => createHandshake(table, 'parent')).toThrow(
    new RangeError('broken: the step "a" leads to "b", which is not a step'),
  );
  expect(() => createHandshake({ ...table, start: 'c' }, 'parent')).toThrow(
    new RangeError('broken: it starts at "c", which is not a step'),
  );
});

function prefixes(word: string): string[] {
  return Array.from({ length: word.length + 1 }, (_, length) => word.slice(0, length));
}

/** Every sequence up to the longest length of which each prefix is accepted too. */
function sequences(accepted: (sequence: string) => boolean): string[] {
  const found: string[] = [];
  let front = [''];
  while (front.length > 0) {
    found.push(...front);
    front = front
      .filter((sequence) => sequence.length < longest)
      .flatMap((sequence) => syncTypeNames.map((type) => sequence + letters[type]))
      .filter((sequence) => accepted(sequence));
  }
  return found;
}

function tellAll(table: HandshakeTable, end: SyncEnd, sequence: string): Handshake | undefined {
  const handshake = createHandshake(table, end);
  for (const letter of sequence) {
    const type = syncTypeNames.find((name) => letters[name] === letter);
    if (type === undefined || !accepts(() => tell(handshake, end, type))) return undefined;
  }
  return handshake;
}

function tell(handshake: Handshake, end: SyncEnd, type: SyncType): void {
  if (syncTypes[type].sender === end) handshake.sent(type);
  else handshake.received(type);
}

function accepts(act: () => unknown): boolean {
  return handshakeErrorOf(act) === undefined;
}

function handshakeErrorOf(act: () => unknown): HandshakeError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof HandshakeError) return error;
    throw error;
  }
}
