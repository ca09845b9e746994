import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type LaunchRequest, openStore } from '../../src/index.ts';
import { isRoot } from '../is-root.ts';
import { codeOf, failureOf, Leaks, noStdio, open, short, tiers, untilLine } from './hostile.ts';
import { SmallDisk } from './small-disk.ts';

test.skipIf(!isRoot).each(tiers)(
  'a read-only root tells the truth of all processes, refuses what changes it, and loses nothing, in tier $tier',
  async ({ tier, options }) => {
    using disk = new SmallDisk('size=1m');
    const leaks = await Leaks.watch();
    {
      await using store = await openStore(disk.root, options);
      await using other = await open(disk.root, options);
      await (await store.launch({ ...untilShort(), id: 'ended' })).wait();
      const alive = await store.launch({ ...untilLine, id: 'alive' });
      const ending = await store.launch({ ...untilLine, id: 'ending' });
      await disk.remount('ro');

      expect(await summary(other)).toEqual({
        alive: 'running',
        ended: 'stopped',
        ending: 'running',
      });
      expect((await other.load('ended')).exit).toMatchObject({ code: 7 });
      expect(await other.wait('ended')).toMatchObject({ code: 7, source: 'parent' });
      await other.signal('alive', 'SIGCONT');

      ending.stdin!.end('\n');
      expect(await ending.wait()).toMatchObject({ kind: 'exited', code: 7, source: 'parent' });
      const reaped = tier === 'A' ? 'stopped' : 'zombie';
      await expect.poll(async () => (await other.load('ending')).state).toBe(reaped);
      expect(await views(other, 'ending')).toMatchObject(
        tier === 'A'
          ? {
              loaded: { state: 'stopped', exit: { code: 7, source: 'pin' } },
              waited: { code: 7, source: 'pin' },
              signaled: 'send SIGTERM to ending: it has exited with 7',
            }
          : // A zombie of its parent, which has the status and cannot record it.
            { loaded: { state: 'zombie', exit: undefined }, waited: 'not yet', signaled: 'taken' },
      );

      for (const refused of [
        () => other.launch({ ...short, id: 'new' }),
        () => other.remove('ended'),
        () => other.remove('alive', { force: true }),
        () => store.remove('alive', { force: true }),
      ]) {
        const failure = await failureOf(refused());
        expect(failure).toMatchObject({ code: 'ERR_STORE_DISK', errnoCode: 'EROFS' });
        expect((failure as { hint?: string }).hint).toContain('remount it writable');
      }
      expect(await summary(other)).toMatchObject({ alive: 'running', ended: 'stopped' });

      await disk.remount('rw');
      expect(await other.wait('ending')).toMatchObject({ code: 7 });
      const file = join(disk.root, 'p', 'ending', 'exit.json');
      expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ code: 7 });
      alive.stdin!.end('\n');
      expect(await other.wait('alive')).toMatchObject({ code: 7 });
      for (const id of ['alive', 'ended', 'ending']) await other.remove(id);
    }
    expect(disk.mounts()).toEqual([]);
    expect(disk.files()).toEqual([]);
    expect(leaks.found()).toEqual([]);
  },
);

test.skipIf(!isRoot)(
  'openStore of a read-only root that holds nothing refuses only what makes something',
  async () => {
    using disk = new SmallDisk();
    const leaks = await Leaks.watch();
    await disk.remount('ro');
    expect(await codeOf(open(disk.root))).toBe('ERR_STORE_DISK');
    {
      await using store = await open(disk.root, { create: false });
      expect(await store.list()).toEqual({ processes: [], problems: [] });
      expect(await codeOf(store.load('one'))).toBe('ERR_STORE_NOT_FOUND');
      expect(await codeOf(store.launch({ ...short, id: 'one' }))).toBe('ERR_STORE_DISK');
    }
    await disk.remount('rw');
    expect(disk.files()).toEqual([]);
    expect(leaks.found()).toEqual([]);
  },
);

function untilShort(): LaunchRequest {
  const { process, ...spec } = untilLine.spec;
  return {
    bundle: '/',
    stdio: noStdio,
    spec: { ...spec, process: { ...process, args: ['sh', '-c', 'exit 7'] } },
  };
}

async function summary(store: Awaited<ReturnType<typeof open>>): Promise<Record<string, string>> {
  const { processes, problems } = await store.list();
  expect(problems).toEqual([]);
  return Object.fromEntries(processes.map(({ id, state }) => [id, state]));
}

/** What a store that did not launch it says of a process, one way and another. */
async function views(store: Awaited<ReturnType<typeof open>>, id: string): Promise<object> {
  const { state, exit } = await store.load(id);
  const options = { signal: AbortSignal.timeout(exit === undefined ? 200 : 30_000) };
  return {
    loaded: { state, exit },
    waited: await store.wait(id, options).catch(() => 'not yet'),
    signaled: await store.signal(id, 'SIGTERM').then(
      () => 'taken',
      (error: unknown) => (error as Error).message,
    ),
  };
}
