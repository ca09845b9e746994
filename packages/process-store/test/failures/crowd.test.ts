import { afterAll, beforeAll, expect, test } from 'vitest';
import { Scratch } from '../scratch.ts';
import { isRunning, open, type Report, type Task, tiers, Worker } from './hostile.ts';

const CROWD = 16;
const patient = { timeout: 300_000 };

let workers: Worker[] = [];

beforeAll(async () => {
  workers = Array.from({ length: CROWD }, () => new Worker());
  await Promise.all(workers.map((worker) => worker.next()));
}, patient.timeout);

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker[Symbol.asyncDispose]()));
}, patient.timeout);

/** Has programs do the same at the same instant, and hears what came of it. */
async function atOnce(count: number, task: (index: number) => Task): Promise<Report[]> {
  const asked = workers.slice(0, count);
  for (const [index, worker] of asked.entries()) worker.ask(task(index));
  return Promise.all(asked.map((worker) => worker.next()));
}

function countCodes(reports: Report[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { code = 'ok' } of reports) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

test.each(tiers)(
  `${CROWD} programs launch an id at once and one wins, wait for it and all are told the same, delete it and one does, in tier $tier`,
  patient,
  async ({ tier, options }) => {
    using scratch = new Scratch();
    const one = { root: scratch.root, tier, id: 'one' };
    const launches = await atOnce(CROWD, () => ({ ...one, action: 'launch' }));
    expect(countCodes(launches)).toEqual({
      ok: 1,
      ERR_STORE_ID_IN_USE: CROWD - 1,
    });
    const pid = launches.find(({ ok }) => ok !== undefined)!.ok as number;
    expect(isRunning(pid)).toBe(true);

    const waiting = atOnce(CROWD, () => ({ ...one, action: 'wait' }));
    {
      await using store = await open(scratch.root, options);
      await store.signal('one', 'SIGTERM');
    }
    const exits = await waiting;
    expect(new Set(exits.map((exit) => JSON.stringify(exit))).size).toBe(1);
    // In tier D, its launcher having let go, only if somebody waited in time.
    const signaled = { kind: 'signaled', signal: 15 };
    const lost = { kind: 'unknown', reason: 'no-holder' };
    const exit = exits[0]!.ok as { kind: string };
    expect(exit).toMatchObject(tier === 'D' && exit.kind === 'unknown' ? lost : signaled);

    const deletes = await atOnce(CROWD, () => ({ ...one, action: 'delete' }));
    expect(countCodes(deletes)).toEqual({
      ok: 1,
      ERR_STORE_NOT_FOUND: CROWD - 1,
    });
    await (await open(scratch.root, options))[Symbol.asyncDispose]();
    expect(scratch.mounts()).toEqual([]);
    expect(scratch.files()).toEqual([]);
  },
);

test.each(tiers)(
  `delete with force by ${CROWD} programs at once kills and removes once, in tier $tier`,
  patient,
  async ({ tier, options }) => {
    using scratch = new Scratch();
    const one = { root: scratch.root, tier, id: 'one' };
    const [launched] = await atOnce(1, () => ({ ...one, action: 'launch' }));
    const deletes = await atOnce(CROWD, () => ({ ...one, action: 'delete with force' }));
    expect(countCodes(deletes)).toEqual({
      ok: 1,
      ERR_STORE_NOT_FOUND: CROWD - 1,
    });
    expect(isRunning(launched!.ok as number)).toBe(false);
    await (await open(scratch.root, options))[Symbol.asyncDispose]();
    expect(scratch.mounts()).toEqual([]);
    expect(scratch.files()).toEqual([]);
  },
);

test.each(tiers)(
  'programs that launch, list, delete and leave an empty root side by side never disturb each other, in tier $tier',
  patient,
  async ({ tier, options }) => {
    using scratch = new Scratch();
    const task = { root: scratch.root, tier, action: 'cycle' as const };
    const reports = await atOnce(6, (index) => ({ ...task, id: `p${index}` }));
    expect(reports).toEqual(Array.from({ length: 6 }, () => ({ ok: 'cycled' })));
    await (await open(scratch.root, options))[Symbol.asyncDispose]();
    expect(scratch.mounts()).toEqual([]);
    expect(scratch.files()).toEqual([]);
  },
);
