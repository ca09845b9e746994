// The direction of dependencies is kept by checks; this proves that they bite.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const bin = join(root, 'node_modules/.bin');

let copy: string;

beforeEach(async () => {
  copy = await mkdtemp(join(tmpdir(), 'pilotlight-layers-'));
  const { stdout } = await run('git', ['ls-files', '-z'], { cwd: root });
  const files = stdout.split('\0').filter((file) => /\.(json|yaml|ts)$/.test(file));
  await Promise.all(files.map((file) => cp(join(root, file), join(copy, file))));
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
});

afterEach(() => rm(copy, { recursive: true }));

/** What a check says of the copy, and whether it was content. */
async function check(program: string, ...args: string[]): Promise<{ ok: boolean; output: string }> {
  try {
    const { stdout, stderr } = await run(join(bin, program), args, {
      cwd: copy,
      env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', NO_COLOR: '1' },
    });
    return { ok: true, output: stdout + stderr };
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return { ok: false, output: stdout + stderr };
  }
}

const write = (file: string, text: string): Promise<void> => writeFile(join(copy, file), text);

describe('turbo boundaries', () => {
  it('accepts the packages as they are', async () => {
    expect(await check('turbo', 'boundaries')).toMatchObject({ ok: true });
  });

  it('refuses an import of a package that the manifest does not list', async () => {
    await write(
      'packages/sync/src/upward.ts',
      "import { launch } from '@pilotlight/init';\nexport const upward: unknown = launch;\n",
    );
    const { ok, output } = await check('turbo', 'boundaries');
    expect(ok).toBe(false);
    expect(output).toContain('cannot import package `@pilotlight/init`');
  });

  it('refuses a manifest that lists a higher layer', async () => {
    const manifest = JSON.parse(await readFile(join(copy, 'packages/sync/package.json'), 'utf8'));
    manifest.dependencies['@pilotlight/init'] = 'workspace:^';
    await write('packages/sync/package.json', JSON.stringify(manifest));
    const { ok, output } = await check('turbo', 'boundaries');
    expect(ok).toBe(false);
    expect(output).toContain('layer-init');
  });
});

describe('oxlint', () => {
  const cases: [rule: string, file: string, imported: string][] = [
    ['sync stays without Node built-ins', 'packages/sync/src/broken.ts', 'node:fs'],
    ['sync imports no other layer', 'packages/sync/src/broken.ts', '@pilotlight/scm-rights'],
    ['scm-rights imports no higher layer', 'packages/scm-rights/src/broken.ts', '@pilotlight/init'],
    ['scm-rights loads koffi in one file', 'packages/scm-rights/src/broken.ts', 'koffi'],
    [
      'the parent stays off plain descriptors',
      'packages/init/src/parent/broken.ts',
      '@pilotlight/scm-rights/libc',
    ],
    [
      'the parent stays off the child',
      'packages/init/src/parent/broken.ts',
      '../child/run-child.ts',
    ],
    ['the child stays off the parent', 'packages/init/src/child/broken.ts', '../parent/launch.ts'],
    ['the child stays off Node', 'packages/init/src/child/broken.ts', 'node:fs'],
    [
      'the store stays off libc',
      'packages/process-store/src/broken.ts',
      '@pilotlight/scm-rights/libc',
    ],
    [
      'the store imports no higher layer',
      'packages/process-store/src/broken.ts',
      '@pilotlight/cli',
    ],
    [
      'the command line stays off libc',
      'packages/cli/src/broken.ts',
      '@pilotlight/scm-rights/libc',
    ],
  ];
  it.each(cases)('keeps the rule that %s', async (_rule, file, imported) => {
    await write(
      file,
      `import * as broken from '${imported}';\nexport const kept: unknown = broken;\n`,
    );
    const { ok, output } = await check('oxlint', '--deny-warnings', file);
    expect(ok).toBe(false);
    expect(output).toContain('no-restricted-imports');
  });
});
