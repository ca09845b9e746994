import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { isRoot } from './is-root.ts';
import { Scratch } from './scratch.ts';

const packageFile = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));

test.skipIf(!isRoot)(
  'the example of the README does what it says',
  { timeout: 30_000 },
  async () => {
    using scratch = new Scratch();
    const [, example = ''] =
      /```ts\n(.*?)```/s.exec(readFileSync(packageFile('README.md'), 'utf8')) ?? [];
    expect(example.trim().split('\n').length).toBeLessThanOrEqual(12);
    // Beside the package, so that its dependencies resolve as they do for its sources.
    const program = packageFile(`test/.readme-${process.pid}.ts`);
    const runnable = example
      .replace("'@pilotlight/process-store'", "'../src/index.ts'")
      .replace('/run/demo-store', scratch.root);
    expect(runnable).not.toBe(example);
    writeFileSync(program, runnable);
    try {
      const flags = ['--conditions=@pilotlight/source', '--no-warnings'];
      const child = spawn(process.execPath, [...flags, program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
      expect(output).toBe('7\n');
      expect(child.exitCode).toBe(0);
    } finally {
      rmSync(program);
    }
    expect(scratch.files()).toEqual([]);
    expect(scratch.mounts()).toEqual([]);
  },
);
