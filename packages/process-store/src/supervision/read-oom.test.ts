import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Scratch } from '../../test/scratch.ts';
import { readOom } from './read-oom.ts';

test.each([
  ['memory.events', 'low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\noom_group_kill 0\n', true],
  ['memory.events', 'low 0\nhigh 0\nmax 3\noom 1\noom_kill 0\noom_group_kill 1\n', false],
  ['memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n', true],
  ['memory.oom_control', 'oom_kill_disable 1\nunder_oom 0\n', null],
])('readOom reads %s %j as %s', async (name, text, expected) => {
  using scratch = new Scratch();
  mkdirSync(join(scratch.path, 'cgroup'));
  writeFileSync(join(scratch.path, 'cgroup', name), text);
  expect(await readOom([join(scratch.path, 'cgroup')])).toBe(expected);
});

test('readOom cannot tell without a cgroup', async () => {
  expect(await readOom([])).toBeNull();
  expect(await readOom(['/nonexistent/cgroup'])).toBeNull();
});
