import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ContainerGroups } from './container-groups.ts';

describe('ContainerGroups', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'container-groups-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  /** A directory with the files of a cgroup. */
  function cgroup(name: string, ...files: string[]): string {
    const path = join(root, name);
    mkdirSync(path);
    for (const file of files) writeFileSync(join(path, file), '');
    return path;
  }
  const groups = async (paths: string[], late = false): Promise<ContainerGroups> => {
    const made = new ContainerGroups(paths, process.pid, late);
    await made.create();
    return made;
  };
  const contents = (path: string, file: string): string => readFileSync(join(path, file), 'utf8');

  it('ContainerGroups lets a child be born in a v2 cgroup', async () => {
    const v2 = cgroup('v2', 'cgroup.controllers', 'cgroup.procs');
    const entered = await groups([v2]);
    expect(entered.birthplace).toBe(v2);
    expect(await entered.enter(7)).toBe(false);
    expect(contents(v2, 'cgroup.procs')).toBe('');
  });

  it('ContainerGroups enters v1 and v2 together, and groups of resctrl by their own list', async () => {
    const v1 = cgroup('v1', 'cgroup.procs', 'tasks');
    const v2 = cgroup('v2', 'cgroup.controllers', 'cgroup.procs');
    const rdt = cgroup('rdt', 'tasks', 'schemata');
    const entered = await groups([v1, v2, rdt]);
    expect(entered.birthplace).toBeUndefined();
    expect(await entered.enter(7)).toBe(true);
    expect(contents(v1, 'cgroup.procs')).toBe('7');
    expect(contents(v2, 'cgroup.procs')).toBe('7');
    expect(contents(rdt, 'tasks')).toBe('7');
  });

  it('ContainerGroups is not born in a cgroup that has others below it', async () => {
    const v2 = cgroup('v2', 'cgroup.controllers', 'cgroup.procs');
    cgroup('v2/inner');
    expect((await groups([v2])).birthplace).toBeUndefined();
  });

  it('ContainerGroups enters a frozen container only when it is told to', async () => {
    const v2 = cgroup('v2', 'cgroup.controllers', 'cgroup.procs');
    const entered = await groups([v2], true);
    expect(entered.birthplace).toBeUndefined();
    expect(await entered.enter(7)).toBe(false);
    expect(contents(v2, 'cgroup.procs')).toBe('');
    await entered.enterLate(7);
    expect(contents(v2, 'cgroup.procs')).toBe('7');
  });

  it.each([
    ['freezer.state', 'THAWED\n', false],
    ['freezer.state', 'FROZEN\n', true],
    ['freezer.state', 'FREEZING\n', true],
    ['cgroup.freeze', '0\n', false],
    ['cgroup.freeze', '1\n', true],
  ])(
    'ContainerGroups reads from %s that says %j whether it is frozen',
    async (file, text, frozen) => {
      const path = cgroup('any', 'cgroup.procs');
      writeFileSync(join(path, file), text);
      expect(await (await groups([path])).isFrozen()).toBe(frozen);
    },
  );

  it('ContainerGroups has nothing to remove, and names the file that refuses', async () => {
    const path = cgroup('v1', 'cgroup.procs');
    const entered = await groups([path]);
    expect(entered.paths).toEqual([]);
    rmSync(join(path, 'cgroup.procs'));
    mkdirSync(join(path, 'cgroup.procs'));
    await expect(entered.enterLate(7)).rejects.toMatchObject({
      step: 'cgroup',
      path: join(path, 'cgroup.procs'),
      errnoCode: 'EISDIR',
    });
  });
});
