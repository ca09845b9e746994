import { globSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { isRoot, missing, runProgram } from './cli-fixture.ts';

const demo = fileURLToPath(new URL('../../examples/src/demo.ts', import.meta.url));

describe.skipIf(!isRoot)(`the demo${missing({ root: isRoot })}`, () => {
  it('makes its claims, holds them, and leaves nothing behind', async () => {
    const before = globSync(join(tmpdir(), 'pilotlight-demo-*'));
    const { code, stdout, stderr } = await runProgram(process.execPath, [demo]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const step of [
      "1. A command line on this machine's own root",
      '2. An OCI bundle made on the spot',
      '3. The same bundle detached',
      '4. A launch that fails',
      '5. Through the library',
    ]) {
      expect(stdout).toContain(step);
    }
    for (const told of [
      'ok: its exit status 7 is that of pilotlight',
      '$ pilotlight wait detached',
      'step: mounts',
      'errno: ENOENT',
      'All claims hold.',
    ]) {
      expect(stdout).toContain(told);
    }
    expect(stdout).not.toContain('BROKEN');
    expect(globSync(join(tmpdir(), 'pilotlight-demo-*'))).toEqual(before);
  });

  it('says that it needs root, and how to give it that', async () => {
    const { code, stdout } = await runProgram(process.execPath, [demo], { uid: 65_534 });
    expect(code).toBe(1);
    expect(stdout).toMatch(/needs root.*sudo pnpm demo/);
  });
});
