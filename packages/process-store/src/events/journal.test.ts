import {
  appendFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, bigInt, integer, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { isStoreError } from '../errors.ts';
import type { ExitRecord } from '../record/exit-record.ts';
import { appendEvent, formatEventLine, parseEventLine } from './append-events.ts';
import { formatCursor, parseCursor } from './cursor.ts';
import { JournalReader } from './journal-reader.ts';
import type { EventFact } from './store-event.ts';

class Journal implements Disposable {
  readonly #parent = mkdtempSync(join(tmpdir(), 'journal-'));
  readonly path = join(this.#parent, 'events');

  segments(): string[] {
    return readdirSync(this.path)
      .filter((name) => name.endsWith('.jsonl'))
      .toSorted();
  }

  append(pid: number, fact: EventFact = { type: 'start' }): Promise<string | undefined> {
    return appendEvent(this.path, { key: 'box', pid, startTicks: 2n ** 60n, bootId: 'b' }, fact);
  }

  [Symbol.dispose](): void {
    rmSync(this.#parent, { recursive: true });
  }
}

async function pids(reader: JournalReader): Promise<(number | 'lost')[]> {
  const found: (number | 'lost')[] = [];
  for (;;) {
    const entries = await reader.read();
    if (entries.length === 0) return found;
    found.push(...entries.map((entry) => (entry.type === 'lost' ? entry.type : entry.pid)));
  }
}

const exit: ExitRecord = {
  kind: 'signaled',
  id: 'box',
  started: true,
  exitedAt: null,
  observedAt: '2026-01-02T03:04:05.678Z',
  oom: null,
  source: 'pin',
  rawStatus: 0x8b,
  code: null,
  signal: 11,
  core: true,
};

const facts: EventFact[] = [
  { type: 'start' },
  { type: 'exec' },
  { type: 'exit', exit },
  {
    type: 'exit',
    exit: {
      kind: 'unknown',
      id: 'box',
      started: true,
      exitedAt: null,
      observedAt: exit.observedAt,
      reason: 'reboot',
    },
  },
  { type: 'oom', count: 2n ** 63n },
  { type: 'pidsLimit', count: 1n },
  { type: 'restart', attempt: 3 },
  { type: 'remove' },
];

test.each(facts)('appendEvent keeps every field of $type, 64-bit numbers exact', async (fact) => {
  using journal = new Journal();
  const cursor = await journal.append(7, fact);
  const [event] = await new JournalReader(journal.path, 'start').read();
  expect(event).toMatchObject({
    ...fact,
    key: 'box',
    pid: 7,
    startTicks: 2n ** 60n,
    bootId: 'b',
    cursor,
  });
});

test('parseEventLine undoes formatEventLine for any key and number', () => {
  assert(
    property(
      string({ minLength: 1 }),
      bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      integer({ min: 1 }),
      (key, startTicks, seq) => {
        const event = {
          key,
          pid: 1,
          startTicks,
          bootId: 'b',
          time: exit.observedAt,
          monotonicNs: startTicks,
          type: 'remove' as const,
        };
        const line = formatEventLine({ schema: 1, seq, event });
        expect(line.indexOf('\n')).toBe(line.length - 1);
        expect(parseEventLine(line)).toEqual({ schema: 1, seq, event });
      },
    ),
  );
});

test('appendEvent numbers events without a gap, whoever appends at the same time', async () => {
  using journal = new Journal();
  const cursors = await Promise.all(
    Array.from({ length: 40 }, (_, index) => journal.append(index + 1)),
  );
  const seqs = cursors.map((cursor) => parseCursor(cursor ?? '').seq);
  expect(seqs.toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 40 }, (_, index) => index + 1),
  );
  expect((await pids(new JournalReader(journal.path, 'start'))).length).toBe(40);
});

test('appendEvent cuts off what a killed writer left of a line', async () => {
  using journal = new Journal();
  await journal.append(1);
  const [segment = ''] = journal.segments();
  const path = join(journal.path, segment);
  appendFileSync(path, '{"schema":1,"seq":2,"ev');
  const reader = new JournalReader(journal.path, 'start');
  expect(await pids(reader)).toEqual([1]);
  const cursor = await journal.append(2);
  expect(parseCursor(cursor ?? '').seq).toBe(2);
  expect(await pids(reader)).toEqual([2]);
  expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(3);
});

test('appendEvent goes on in a new file behind lines that are not its own', async () => {
  using journal = new Journal();
  await journal.append(1);
  const [segment = ''] = journal.segments();
  appendFileSync(join(journal.path, segment), 'rubbish\n');
  const reader = new JournalReader(journal.path, 'start');
  await journal.append(2);
  await journal.append(3);
  expect(journal.segments()).toHaveLength(2);
  expect(await pids(reader)).toEqual([1, 2, 3]);
});

test('appendEvent goes on behind a file that was emptied, with numbers that were not used', async () => {
  using journal = new Journal();
  await journal.append(1);
  const [segment = ''] = journal.segments();
  truncateSync(join(journal.path, segment));
  expect(await journal.append(2)).toBeDefined();
  expect(await pids(new JournalReader(journal.path, 'start'))).toEqual([2]);
});

test('appendEvent returns nothing where there is no root', async () => {
  expect(
    await appendEvent(
      '/nowhere/at/all/events',
      { key: 'a', pid: 1, startTicks: 1n, bootId: 'b' },
      { type: 'remove' },
    ),
  ).toBeUndefined();
});

test('JournalReader begins at a cursor, at the start, or at what comes', async () => {
  using journal = new Journal();
  const cursors = [await journal.append(1), await journal.append(2), await journal.append(3)];
  const now = new JournalReader(journal.path, undefined);
  expect(await pids(now)).toEqual([]);
  expect(await pids(new JournalReader(journal.path, cursors[0]))).toEqual([2, 3]);
  expect(await pids(new JournalReader(journal.path, cursors[2]))).toEqual([]);
  expect(await pids(new JournalReader(journal.path, 'start'))).toEqual([1, 2, 3]);
  await journal.append(4);
  expect(await pids(now)).toEqual([4]);
});

test('JournalReader made before the journal tells all of it', async () => {
  using journal = new Journal();
  const now = new JournalReader(journal.path, undefined);
  expect(await pids(now)).toEqual([]);
  await journal.append(1);
  expect(await pids(now)).toEqual([1]);
});

test('JournalReader says what is lost: another journal, or events that are not kept any more', async () => {
  using journal = new Journal();
  const old = await journal.append(1);
  const behind = new JournalReader(journal.path, 'start');
  await behind.read();
  // As many files as it takes to have the first one dropped.
  for (let file = 0; file < 9; file++) {
    await journal.append(2 + file);
    const last = journal.segments().at(-1) ?? '';
    appendFileSync(join(journal.path, last), `${'x'.repeat(300 * 1024)}\n`);
  }
  expect(journal.segments()).toHaveLength(8);
  expect((await pids(new JournalReader(journal.path, old)))[0]).toBe('lost');
  expect((await pids(behind))[0]).toBe('lost');
  const other = formatCursor({ journal: 'ffffffff', seq: 1 });
  expect((await pids(new JournalReader(journal.path, other)))[0]).toBe('lost');
});

test('JournalReader waits for the end of a line', async () => {
  using journal = new Journal();
  await journal.append(1);
  const reader = new JournalReader(journal.path, 'start');
  await reader.read();
  const path = join(journal.path, journal.segments()[0] ?? '');
  const line = readFileSync(path, 'utf8')
    .replace('"seq":1', '"seq":2')
    .replace('"pid":1', '"pid":2');
  writeFileSync(path, line.slice(0, 20), { flag: 'a' });
  expect(await pids(reader)).toEqual([]);
  writeFileSync(path, line.slice(20), { flag: 'a' });
  expect(await pids(reader)).toEqual([2]);
});

test.each(['', 'x', 'ffffffff-1', '../../x-000000000001'])('parseCursor refuses %j', (text) => {
  let refused: unknown;
  try {
    parseCursor(text);
  } catch (error) {
    refused = error;
  }
  expect(isStoreError(refused, 'ERR_STORE_INVALID_CURSOR')).toBe(true);
});
