import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { hostRootSpec } from '@pilotlight/init';
import { expect, test } from 'vitest';
import { openStore } from '../src/index.ts';
import { isRoot } from './is-root.ts';
import { Scratch } from './scratch.ts';

const packageFile = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));

const examples = [...readFileSync(packageFile('README.md'), 'utf8').matchAll(/```ts\n(.*?)```/gs)];

/** Runs an example with roots of the test's own in place of those it names. */
async function run(example: string, scratch: Scratch): Promise<{ output: string; code: unknown }> {
  // Beside the package, so that its dependencies resolve as they do for its sources.
  const program = packageFile(`test/.readme-${process.pid}.ts`);
  const runnable = example
    .replace("'@pilotlight/process-store'", "'../src/index.ts'")
    .replaceAll('/run/demo-store', scratch.root)
    .replaceAll('/run/runc', join(scratch.path, 'runc'));
  expect(runnable).not.toContain("'/run/");
  writeFileSync(program, runnable);
  try {
    const flags = ['--conditions=@pilotlight/source', '--no-warnings'];
    const child = spawn(process.execPath, [...flags, program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    return { output, code: child.exitCode };
  } finally {
    rmSync(program);
  }
}

test.skipIf(!isRoot)(
  'the example of the README does what it says',
  { timeout: 30_000 },
  async () => {
    using scratch = new Scratch();
    const [[, example = ''] = []] = examples;
    expect(example.trim().split('\n').length).toBeLessThanOrEqual(12);
    expect(await run(example, scratch)).toEqual({ output: '7\n', code: 0 });
    expect(scratch.files()).toEqual([]);
    expect(scratch.mounts()).toEqual([]);
  },
);

test.skipIf(!isRoot)(
  'the example of the README that is about runc does what it says',
  { timeout: 30_000 },
  async () => {
    using scratch = new Scratch();
    const [, [, example = ''] = []] = examples;
    expect(examples).toHaveLength(2);
    await using store = await openStore(scratch.root);
    const spec = hostRootSpec({ args: ['sleep', '1000'] });
    const process = await store.launch({ id: 'demo', spec, bundle: '/' });
    try {
      expect(await run(example, scratch)).toEqual({ output: 'running\n', code: 0 });
    } finally {
      await process.delete({ force: true });
    }
  },
);
