import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCgroupCounters } from './counters.ts';

describe('readCgroupCounters', () => {
  let root: string;
  beforeEach(() => void (root = mkdtempSync(join(tmpdir(), 'counters-'))));
  afterEach(() => rmSync(root, { recursive: true }));

  function cgroup(name: string, files: Record<string, string>): string {
    const path = join(root, name);
    mkdirSync(path);
    for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
    return path;
  }

  it('readCgroupCounters reads a v2 cgroup', async () => {
    const path = cgroup('v2', {
      'memory.events': 'low 0\nhigh 0\nmax 41\noom 2\noom_kill 3\noom_group_kill 0\n',
      'pids.events': 'max 7\n',
    });
    expect(await readCgroupCounters([path])).toEqual({ oomKill: 3n, pidsLimit: 7n });
  });

  it('readCgroupCounters reads v1 cgroups, each controller in its own', async () => {
    const memory = cgroup('memory', {
      'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
    });
    const pids = cgroup('pids', { 'pids.events': 'max 18446744073709551615\n' });
    const cpu = cgroup('cpu', {});
    expect(await readCgroupCounters([cpu, memory, pids])).toEqual({
      oomKill: 1n,
      pidsLimit: 18446744073709551615n,
    });
  });

  it('readCgroupCounters counts nothing where nothing is counted', async () => {
    const old = cgroup('old', { 'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\n' });
    const none = { oomKill: 0n, pidsLimit: 0n };
    expect(await readCgroupCounters([old, join(root, 'gone')])).toEqual(none);
    expect(await readCgroupCounters([])).toEqual(none);
  });
});
