import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { isRoot, runProgram } from './cli-fixture.ts';

const bench = fileURLToPath(new URL('../../bench/src/supervision.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'bench-test-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Mounts, processes and directories of benchmarks. */
function traces(): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes('pilotlight-bench-'));
  const processes = readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('pilotlight-bench-');
    } catch {
      return false;
    }
  });
  const directories = ['/dev/shm', tmpdir()].flatMap((place) =>
    readdirSync(place).filter((name) => name.startsWith('pilotlight-bench-')),
  );
  return [...mounts, ...processes.map((pid) => `process ${pid}`), ...directories];
}

describe('bench:supervision', () => {
  it.each(isRoot ? ['A', 'B'] : ['B'])(
    'measures a few processes in tier %s, prints a table, and leaves nothing',
    async (tier) => {
      const before = traces();
      const json = join(directory, 'numbers.json');
      const flags = ['--processes', '20', '--ends', '5', '--idle-seconds', '1', '--tier', tier];
      const args = [bench, ...flags, '--references', '0', '--json', json];
      const { code, stdout, stderr } = await runProgram(process.execPath, args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(new RegExp(`^Supervision of 20 processes, tier ${tier}, `));
      for (const row of [
        /^monitor, private +[\d.]+ [kM]B +16\.0 MB +(ok|over)$/m,
        /^end to record, p50 of 5 +[\d.]+ ms +1\.00 ms +(ok|over)$/m,
        /^15 ends at once, all recorded +[\d.]+ ms +400 ms +(ok|over)$/m,
        /^monitor killed, all watched again +[\d.]+ ms$/m,
      ]) {
        expect(stdout).toMatch(row);
      }
      expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({
        processes: 20,
        tier,
        end: { count: 5 },
        burst: { count: 15 },
        references: [],
      });
      await expect.poll(traces).toEqual(before);
    },
  );

  it('names what is wrong with its flags, and does nothing', async () => {
    const { code, stderr } = await runProgram(process.execPath, [bench, '--processes', 'many']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--processes: "many" is no whole number[^]*usage: /);
  });
});
