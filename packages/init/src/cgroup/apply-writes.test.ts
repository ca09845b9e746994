import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyWrites } from './apply-writes.ts';
import type { CgroupWrite } from './cgroup-write.ts';
import { enableControllers } from './enable-controllers.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'writes-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const write = (file: string, more: Partial<CgroupWrite> = {}): CgroupWrite => ({
  file,
  text: '5',
  field: 'linux.resources.memory.limit',
  ...more,
});
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

describe('applyWrites', () => {
  it('applyWrites falls back to the other name of a file', async () => {
    writeFileSync(join(root, 'io.weight'), '');
    const otherwise = { file: 'io.weight', text: '4950' };
    await applyWrites(root, [write('io.bfq.weight', { otherwise })]);
    expect(read('io.weight')).toBe('4950');
    writeFileSync(join(root, 'io.bfq.weight'), '');
    await applyWrites(root, [write('io.bfq.weight', { otherwise })]);
    expect(read('io.bfq.weight')).toBe('5');
  });

  it('applyWrites goes on without a file that is dispensable, and makes none', async () => {
    await applyWrites(root, [write('memory.swap.max', { optional: true })]);
    expect(() => read('memory.swap.max')).toThrow(/ENOENT/);
  });

  it('applyWrites names the field, the file, the text and what to do', async () => {
    await expect(applyWrites(root, [write('memory.swap.max')])).rejects.toMatchObject({
      code: 'ERR_INIT_CGROUP',
      field: 'linux.resources.memory.limit',
      path: join(root, 'memory.swap.max'),
      errnoCode: 'ENOENT',
      syscall: 'open',
      message: `set linux.resources.memory.limit: write "5" to ${join(root, 'memory.swap.max')}: ENOENT`,
      hint: expect.stringMatching(/swapaccount/),
    });
  });

  it('applyWrites finds out that a kernel takes a limit and forgets it', async () => {
    writeFileSync(join(root, 'memory.kmem.limit_in_bytes'), '');
    const never = write('memory.kmem.limit_in_bytes', { mustNotRead: '5' });
    await expect(applyWrites(root, [never])).rejects.toThrow(/does nothing/);
  });

  it('applyWrites stops at what cannot be tried again', async () => {
    mkdirSync(join(root, 'a.directory'));
    writeFileSync(join(root, 'later'), '');
    await expect(applyWrites(root, [write('a.directory'), write('later')])).rejects.toMatchObject({
      errnoCode: 'EISDIR',
    });
    expect(read('later')).toBe('');
  });
});

describe('enableControllers', () => {
  function makeTree(): string {
    const path = join(root, 'pods/a');
    mkdirSync(path, { recursive: true });
    for (const above of [root, join(root, 'pods')]) {
      writeFileSync(join(above, 'cgroup.controllers'), 'memory pids\n');
      writeFileSync(join(above, 'cgroup.subtree_control'), '');
    }
    return path;
  }

  it('enableControllers hands down what is lacking, from the mount point to the parent', async () => {
    const path = makeTree();
    writeFileSync(join(root, 'cgroup.subtree_control'), 'memory cpu\n');
    await enableControllers(path, root, ['memory', 'pids']);
    expect(read('cgroup.subtree_control')).toMatch(/^\+pids/);
    expect(read('pods/cgroup.subtree_control')).toBe('+memory +pids');
  });

  it('enableControllers leaves alone what is there, and a cgroup that is the mount itself', async () => {
    const path = makeTree();
    writeFileSync(join(root, 'cgroup.subtree_control'), 'memory pids\n');
    writeFileSync(join(root, 'pods/cgroup.subtree_control'), 'pids\n');
    await enableControllers(path, root, ['pids']);
    await enableControllers(root, root, ['memory']);
    expect(read('cgroup.subtree_control')).toBe('memory pids\n');
  });

  it('enableControllers says where it failed', async () => {
    const path = makeTree();
    rmSync(join(root, 'pods/cgroup.subtree_control'));
    await expect(enableControllers(path, root, ['memory', 'io'])).rejects.toMatchObject({
      path: join(root, 'pods/cgroup.subtree_control'),
      message: `enable io below ${join(root, 'pods')}: ENOENT`,
      hint: expect.stringMatching(/does not hand it down/),
    });
  });
});
