import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { openStore } from '@pilotlight/process-store';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { isRoot, missing, Scratch } from './cli-fixture.ts';

const scratch = new Scratch();
afterEach(() => scratch.requireEmpty());
afterAll(() => scratch.remove());

describe('pilotlight info', () => {
  it('makes no store where there is none, and tells what this machine offers', async () => {
    const { code, stdout, stderr } = await scratch.run(['info']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`${scratch.root} (not made yet)`);
    expect(stdout).toMatch(/^[ABCD] \w+ \(here\)$/m);
    expect(stdout).toMatch(/^Launches +fork here: /m);
    expect(existsSync(scratch.root)).toBe(false);

    const json = await scratch.run(['info', '--format', 'json']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      root: { path: scratch.root, exists: false },
      monitor: null,
      keeper: { isAlive: false, pid: null },
      records: { total: 0, byState: {}, problems: [] },
    });
    expect(existsSync(scratch.root)).toBe(false);
  });

  it('refuses an argument, and a format it does not have', async () => {
    expect((await scratch.run(['info', 'box'])).stderr).toMatch(/too many arguments/);
    expect((await scratch.run(['info', '-f', 'yaml'])).stderr).toMatch(/"yaml"/);
  });
});

describe.skipIf(!isRoot)(`pilotlight info in a store${missing({ root: isRoot })}`, () => {
  it('counts records by state, starts no monitor, and shows one that runs', async () => {
    const [running, ended] = [scratch.id(), scratch.id()];
    expect(scratch.detach([running, '--', 'sleep', '60'])).toBe(0);
    expect(scratch.detach([ended, '--', 'sh', '-c', 'exit 3'])).toBe(0);
    await scratch.run(['wait', ended]);
    const before = await scratch.run(['info']);
    expect(before.stdout).toMatch(/^Records +2: 1 running, 1 stopped$/m);
    expect(before.stdout).toMatch(/^Monitor +none runs$/m);
    expect(existsSync(`${scratch.root}/monitor.sock`)).toBe(false);

    {
      await using store = await openStore(scratch.root);
      const { pid, keeperPid } = await store.startMonitor();
      const { stdout } = await scratch.run(['info', '--format=json']);
      expect(JSON.parse(stdout)).toMatchObject({
        monitor: { pid, keeperPid },
        keeper: { isAlive: true, pid: keeperPid },
        records: { total: 2, byState: { running: 1, stopped: 1 } },
      });
    }
    expect((await scratch.run(['delete', '-f', running])).code).toBe(0);
    expect((await scratch.run(['delete', ended])).code).toBe(0);
  });

  it('shows a record that cannot be read, beside the others', async () => {
    const id = scratch.id();
    expect(scratch.detach([id, '--', 'sleep', '60'])).toBe(0);
    mkdirSync(`${scratch.root}/p/odd`);
    writeFileSync(`${scratch.root}/p/odd/spec.json`, 'no JSON');
    const { code, stdout, stderr } = await scratch.run(['info']);
    expect(code).toBe(125);
    expect(stdout).toMatch(/^Records +2: 1 running, 1 unreadable$/m);
    expect(stdout).toMatch(/^PROBLEM +WHY\nodd +/m);
    expect(stderr).toMatch(/^pilotlight: list .*: cannot read the records of odd\n/);
    expect((await scratch.run(['delete', '-f', 'odd'])).code).toBe(0);
    expect((await scratch.run(['delete', '-f', id])).code).toBe(0);
  });
});
