import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openStore } from '../../src/index.ts';
import { isRoot } from '../is-root.ts';
import { codeOf, failureOf, Leaks, open, short, sleeper, tiers, untilLine } from './hostile.ts';
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
      disk.remount('ro');

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
      if (tier === 'A') {
        expect(await other.wait('ending')).toMatchObject({ code: 7, source: 'pin' });
        expect(await other.load('ending')).toMatchObject({ state: 'stopped', exit: { code: 7 } });
        expect((await failureOf(other.signal('ending', 'SIGTERM'))).message).toContain(
          'it has exited with 7',
        );
        expect(await codeOf(other.signal('ending', 'SIGTERM'))).toBe('ERR_STORE_NOT_RUNNING');
      } else {
        expect((await other.load('ending')).state).toBe('zombie');
      }

      for (const refused of [
        () => other.launch({ ...short, id: 'new' }),
        () => other.delete('ended'),
        () => other.delete('alive', { force: true }),
        () => store.delete('alive', { force: true }),
      ]) {
        const failure = await failureOf(refused());
        expect(failure).toMatchObject({ code: 'ERR_STORE_DISK', errnoCode: 'EROFS' });
        expect((failure as { hint?: string }).hint).toContain('remount it writable');
      }
      expect(await summary(other)).toMatchObject({ alive: 'running', ended: 'stopped' });

      disk.remount('rw');
      expect(await other.wait('ending')).toMatchObject({ code: 7 });
      const file = join(disk.root, 'p', 'ending', 'exit.json');
      expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ code: 7 });
      alive.stdin!.end('\n');
      expect(await other.wait('alive')).toMatchObject({ code: 7 });
      for (const id of ['alive', 'ended', 'ending']) await other.delete(id);
    }
    expect(disk.mounts()).toEqual([]);
    expect(disk.files()).toEqual([]);
    leaks.expectNone();
  },
);

test.skipIf(!isRoot)(
  'openStore of a read-only root that holds nothing refuses only what makes something',
  async () => {
    using disk = new SmallDisk();
    const leaks = await Leaks.watch();
    disk.remount('ro');
    expect(await codeOf(open(disk.root))).toBe('ERR_STORE_DISK');
    {
      await using store = await open(disk.root, { create: false });
      expect(await store.list()).toEqual({ processes: [], problems: [] });
      expect(await codeOf(store.load('one'))).toBe('ERR_STORE_NOT_FOUND');
      expect(await codeOf(store.launch({ ...short, id: 'one' }))).toBe('ERR_STORE_DISK');
    }
    disk.remount('rw');
    expect(disk.files()).toEqual([]);
    leaks.expectNone();
  },
);

function untilShort() {
  const { process, ...spec } = untilLine.spec;
  const stdio = untilLine.stdio.map(() => 'ignore') as ['ignore', 'ignore', 'ignore'];
  return {
    bundle: '/',
    stdio,
    spec: { ...spec, process: { ...process!, args: ['sh', '-c', 'exit 7'] } },
  };
}

async function summary(store: Awaited<ReturnType<typeof open>>): Promise<Record<string, string>> {
  const { processes, problems } = await store.list();
  expect(problems).toEqual([]);
  return Object.fromEntries(processes.map(({ id, state }) => [id, state]));
}
