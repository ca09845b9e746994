import { existsSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { isRoot, missing, type Outcome, Scratch } from './cli-fixture.ts';

const CROWD = 16;

const scratch = new Scratch();
afterEach(() => scratch.requireEmpty());
afterAll(() => scratch.remove());

describe.skipIf(!isRoot)(`${CROWD} command lines at once${missing({ root: isRoot })}`, () => {
  const atOnce = (args: readonly string[]): Promise<Outcome[]> =>
    Promise.all(Array.from({ length: CROWD }, () => scratch.run([...args])));

  it(
    'run the same id and one wins; wait for it and are told the same; delete it and one does',
    { timeout: 300_000 },
    async () => {
      const id = scratch.id();
      // Else it would keep our pipes open, which are the command line's.
      const quiet = ['sh', '-c', 'exec sleep 1000 >/dev/null 2>&1'];
      const runs = await atOnce(['run', '--detach', id, '--', ...quiet]);
      expect(runs.filter(({ code }) => code === 0)).toHaveLength(1);
      for (const { stderr } of runs.filter(({ code }) => code !== 0)) {
        expect(stderr).toContain('it is in use');
      }
      const { pid } = JSON.parse((await scratch.run(['state', id])).stdout) as { pid: number };
      expect(existsSync(`/proc/${pid}`)).toBe(true);

      const waiting = atOnce(['wait', id]);
      await scratch.run(['kill', id, 'KILL']);
      const waits = await waiting;
      expect(new Set(waits.map((outcome) => JSON.stringify(outcome))).size).toBe(1);
      expect(waits[0]).toMatchObject({ code: 0, stdout: '137\n' });

      const deletes = await atOnce(['delete', id]);
      expect(deletes.filter(({ code }) => code === 0)).toHaveLength(1);
      for (const { stderr } of deletes.filter(({ code }) => code !== 0)) {
        expect(stderr).toContain('there is no such record');
      }
    },
  );
});
