import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { hostRootSpec } from '@pilotlight/init';
import { pidfdOpen, pidfdSendSignal } from '@pilotlight/scm-rights';
import { expect, test } from 'vitest';
import { openStore } from '../src/index.ts';
import { readPidFile } from '../src/runcext.ts';
import { isRoot } from './is-root.ts';
import { Scratch } from './scratch.ts';

const packageFile = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));

const readme = readFileSync(packageFile('README.md'), 'utf8');
const examples = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, example = '']) => example);

/** The one example with that word in it. */
function exampleWith(word: string): string {
  const [found, ...others] = examples.filter((example) => example.includes(word));
  if (found === undefined || others.length > 0) throw new Error(`not one example has ${word}`);
  return found;
}

/** Runs an example with roots of the test's own in place of those it names. */
async function run(
  example: string,
  scratch: Scratch,
  path = process.env['PATH'],
): Promise<{ output: string; code: unknown }> {
  // Beside the package, so that its dependencies resolve as they do for its sources.
  const program = packageFile(`test/.readme-${process.pid}.ts`);
  const runnable = example
    .replace("'@pilotlight/process-store'", "'../src/index.ts'")
    .replace("'@pilotlight/process-store/runcext'", "'../src/runcext.ts'")
    .replace("'@pilotlight/process-store/containerd'", "'../src/containerd.ts'")
    .replaceAll('/bundle/', `${scratch.path}/`)
    .replaceAll('/var/log/', `${scratch.path}/`)
    .replaceAll('/run/containerd', join(scratch.path, 'containerd'))
    .replaceAll('/run/demo-store', scratch.root)
    .replaceAll('/run/runc', join(scratch.path, 'runc'));
  expect(runnable).not.toContain("'/run/");
  writeFileSync(program, runnable);
  try {
    const flags = ['--conditions=@pilotlight/source', '--no-warnings'];
    const child = spawn(process.execPath, [...flags, program], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, PATH: path },
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
    const [example = ''] = examples;
    expect(examples).toHaveLength(5);
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
    const example = exampleWith('writeRuncState');
    await using store = await openStore(scratch.root);
    const spec = hostRootSpec({ args: ['sleep', '1000'] });
    const process = await store.launch({ id: 'demo', spec, bundle: '/' });
    try {
      expect(await run(example, scratch)).toEqual({ output: 'running\n', code: 0 });
    } finally {
      await process.remove({ force: true });
    }
  },
);

test('the example of the README that is about exec does what it says', async () => {
  using scratch = new Scratch();
  const example = exampleWith('startExec');
  const bin = join(scratch.path, 'bin');
  mkdirSync(bin, { recursive: true });
  // In the place of a container's runtime, and of the command line that a lower package does not know.
  const runtime = `while [ "$1" != --pid-file ]; do shift; done
sleep 1000 >/dev/null 2>&1 & printf %s $! > "$2"`;
  const flags = '--conditions=@pilotlight/source --no-warnings';
  const wrapper = `shift; exec '${process.execPath}' ${flags} '${packageFile('test/runcext/wrapper.ts')}' "$@"`;
  for (const [name, body] of Object.entries({ runc: runtime, pilotlight: wrapper })) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  }
  const { output, code } = await run(example, scratch, `${bin}:${process.env['PATH']}`);
  const pid = await readPidFile(join(scratch.path, 'e1.pid'));
  using pidfd = pidfdOpen(pid);
  pidfdSendSignal(pidfd, 'SIGKILL');
  expect({ output, code }).toEqual({
    output: `${pid} runs, or has ended and is not reaped yet\nit runs\n`,
    code: 0,
  });
}, 30_000);

test.skipIf(!isRoot)(
  'the example of the README that is about logs, restarts and events does what it says',
  { timeout: 60_000 },
  async () => {
    using scratch = new Scratch();
    const { output, code } = await run(exampleWith('parseLogOptions'), scratch);
    const lines = ['start', 'exit', 'restart', 'start', 'exit', 'hello', 'hello', ''];
    expect({ output, code }).toEqual({ output: lines.join('\n'), code: 0 });
    expect(scratch.files()).toEqual(['demo.log']);
    expect(scratch.mounts()).toEqual([]);
  },
);

test.skipIf(!isRoot)(
  'the example of the README that is about containerd does what it says',
  { timeout: 30_000 },
  async () => {
    using scratch = new Scratch();
    expect(await run(exampleWith('newProcess'), scratch)).toEqual({ output: '7\n', code: 0 });
    expect(scratch.files()).toEqual(['containerd']);
  },
);

test('the README has a row for every code of an error, with its class, and for no other', () => {
  const rows = [...readme.matchAll(/^\| `(ERR_STORE_\w+)`\s*\| (\w+)/gm)];
  const sources = readdirSync(packageFile('src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => readFileSync(packageFile(join('src', name)), 'utf8'));
  const thrown = new Map<string, string>();
  for (const source of sources) {
    // The class before it, or StoreError itself.
    for (const [, owner, bare, code] of source.matchAll(
      /class (\w+) extends StoreError|(new StoreError\(\s*)?'(ERR_STORE_[A-Z_]+)',/g,
    )) {
      if (owner !== undefined) thrown.set('', owner);
      else if (code !== undefined) {
        thrown.set(code, bare === undefined ? (thrown.get('') ?? '') : 'StoreError');
      }
    }
  }
  thrown.delete('');
  expect(new Map(rows.map(([, code, name]) => [code, name]))).toEqual(thrown);
});
