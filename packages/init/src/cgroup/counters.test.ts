import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCgroupCounters } from './counters.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'counters-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}

describe('readCgroupCounters', () => {
  it('readCgroupCounters reads v2, where the tree is counted already', async () => {
    write('a/cgroup.controllers', 'memory pids\n');
    write('a/memory.events', 'low 0\nmax 7\noom 4\noom_kill 3\noom_group_kill 0\n');
    write('a/pids.events', 'max 9007199254740993\n');
    write('a/inner/cgroup.controllers', '');
    write('a/inner/memory.events', 'oom_kill 3\n');
    write('a/inner/pids.events', 'max 5\n');
    expect(await readCgroupCounters([join(root, 'a')])).toEqual({
      oomKill: 3n,
      pidsLimit: 9007199254740993n,
    });
  });

  it('readCgroupCounters adds up the tree on v1', async () => {
    const text = 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n';
    write('memory/memory.oom_control', text);
    write('memory/inner/memory.oom_control', text);
    write('memory/inner/deep/memory.oom_control', text);
    write('pids/pids.events', 'max 2\n');
    write('pids/inner/pids.events', 'max 3\n');
    write('freezer/freezer.state', 'THAWED\n');
    const paths = ['memory', 'pids', 'freezer'].map((name) => join(root, name));
    expect(await readCgroupCounters(paths)).toEqual({ oomKill: 3n, pidsLimit: 5n });
  });

  it('readCgroupCounters takes what is gone, and what an older kernel leaves out, for none', async () => {
    write('memory/memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\n');
    expect(await readCgroupCounters([join(root, 'memory'), join(root, 'gone')])).toEqual({
      oomKill: 0n,
      pidsLimit: 0n,
    });
  });
});
