import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import { openDirectory } from '../../src/disk/open-directory.ts';
import { sweepTemporaries } from '../../src/disk/sweep-temporaries.ts';
import { writeTemporary } from '../../src/disk/temporary-file.ts';
import { writeOnce } from '../../src/disk/write-once.ts';
import { Scratch } from '../scratch.ts';
import { codeOf, open, short, sleeper, tiers } from './hostile.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const jumps = [
  { jump: 'a day back', ms: -DAY_MS },
  { jump: 'a day on', ms: DAY_MS },
  { jump: 'ten years on', ms: 3650 * DAY_MS },
];

afterEach(() => void vi.useRealTimers());

/** Moves the wall clock of this process, and of it alone; timers and the monotonic clock go on. */
function jumpBy(ms: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });
}

test.each(jumps)(
  'sweepTemporaries spares what is being written and removes what is not, after the clock jumped $jump',
  async ({ ms }) => {
    using scratch = new Scratch();
    await using directory = await openDirectory(scratch.path);
    await using written = await writeTemporary(directory, 'exit.json', 'text');
    writeFileSync(join(scratch.path, '.exit.json.1.1'), 'of the past');
    utimesSync(join(scratch.path, '.exit.json.1.1'), 0, 0);
    writeFileSync(join(scratch.path, '.exit.json.1.2'), 'of the future');
    const future = (Date.now() + 100 * DAY_MS) / 1000;
    utimesSync(join(scratch.path, '.exit.json.1.2'), future, future);
    writeFileSync(join(scratch.path, '.exit.json.1.3'), 'of now');
    jumpBy(ms);
    await sweepTemporaries(directory);
    expect(readdirSync(scratch.path)).toEqual([written.path.split('/').at(-1)]);
  },
);

test('sweepTemporaries and writeOnce side by side lose no file', async () => {
  using scratch = new Scratch();
  await using directory = await openDirectory(scratch.path);
  const writing = new AbortController();
  const sweeping = (async () => {
    while (!writing.signal.aborted) await sweepTemporaries(directory);
  })();
  const names = Array.from({ length: 300 }, (_, index) => `file-${index}`);
  const won = await Promise.all(names.map((name) => writeOnce(directory, name, name)));
  writing.abort();
  await sweeping;
  expect(won).not.toContain(false);
  expect(readdirSync(scratch.path).toSorted()).toEqual(names.toSorted());
});

test('sweepTemporaries removes what a writer left that was killed, and spares it before', async () => {
  using scratch = new Scratch();
  await using directory = await openDirectory(scratch.path);
  const program = fileURLToPath(new URL('hung-writer.ts', import.meta.url));
  const flags = ['--conditions=@pilotlight/source', '--no-warnings'];
  const child = spawn(process.execPath, [...flags, program, scratch.path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const [name] = readdirSync(scratch.path);
  expect(name).toMatch(/^\.exit\.json\.\d+\.\d+$/);
  await sweepTemporaries(directory);
  expect(readdirSync(scratch.path)).toEqual([name]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await sweepTemporaries(directory);
  expect(readdirSync(scratch.path)).toEqual([]);
});

test.each(tiers.flatMap((tier) => jumps.map((jump) => ({ ...tier, ...jump }))))(
  'a clock that jumps $jump changes nothing about processes and deadlines, in tier $tier',
  async ({ options, ms }) => {
    using scratch = new Scratch();
    {
      await using store = await open(scratch.root, options);
      await store.launch({ ...sleeper, id: 'one' });
      jumpBy(ms);
      await using other = await open(scratch.root, options);
      expect((await other.load('one')).state).toBe('running');
      expect(await codeOf(other.remove('one'))).toBe('ERR_STORE_NOT_STOPPED');
      const waiting = other.wait('one', { signal: AbortSignal.timeout(50) });
      await expect(waiting).rejects.toMatchObject({ name: 'TimeoutError' });
      expect(await (await other.launch({ ...short, id: 'two' })).wait()).toMatchObject({ code: 7 });
      jumpBy(-2 * ms);
      expect(await store.stop('one', { graceMs: 30_000 })).toMatchObject({ signal: 15 });
      expect((await store.list()).problems).toEqual([]);
      await store.remove('one');
      await other.remove('two');
    }
    expect(existsSync(scratch.root)).toBe(false);
  },
);
