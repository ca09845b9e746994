import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { childPids, pidsByParent } from './children.ts';

test.each([
  ['childPids', childPids],
  ['pidsByParent', () => pidsByParent(process.pid)],
])('%s lists a child for as long as it is not reaped', async (_, list) => {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  expect(await list()).toContain(child.pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await list()).not.toContain(child.pid);
});
