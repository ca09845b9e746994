// What is published: each package packed, installed alone by npm into an empty project with install
// scripts off, imported, and its README's example run there.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const isRoot = process.getuid?.() === 0;

/** In the order of the layers. `needsRoot`: its example launches something. */
const packages = [
  { name: 'sync', needsRoot: false },
  { name: 'scm-rights', needsRoot: false },
  { name: 'init', needsRoot: true },
  { name: 'process-store', needsRoot: true },
  { name: 'cli', needsRoot: true },
];

let directory: string;
const tarballs = new Map<string, string>();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pilotlight-pack-'));
  for (const { name } of packages) {
    await run('pnpm', ['pack', '--pack-destination', directory], {
      cwd: join(root, 'packages', name),
    });
    const file = (await readdir(directory)).find((entry) =>
      entry.startsWith(`pilotlight-${name}-`),
    );
    tarballs.set(name, join(directory, file!));
  }
});

afterAll(() => rm(directory, { recursive: true, force: true }));

/** An empty project with one package of ours; the layers below it come from their tarballs too. */
async function installAlone(name: string): Promise<string> {
  const project = join(directory, `project-${name}`);
  await mkdir(project);
  const lower = packages.slice(
    0,
    packages.findIndex((candidate) => candidate.name === name),
  );
  await writeFile(
    join(project, 'package.json'),
    JSON.stringify({
      name: 'empty-project',
      private: true,
      type: 'module',
      dependencies: { [`@pilotlight/${name}`]: `file:${tarballs.get(name)}` },
      overrides: Object.fromEntries(
        lower.map((layer) => [`@pilotlight/${layer.name}`, `file:${tarballs.get(layer.name)}`]),
      ),
    }),
  );
  await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: project });
  return project;
}

describe.each(packages)('@pilotlight/$name, packed', ({ name, needsRoot }) => {
  let project: string;
  beforeAll(async () => {
    project = await installAlone(name);
  });

  it('ships what it was built to and its README, and no sources', async () => {
    const { stdout } = await run('tar', ['-tzf', tarballs.get(name)!]);
    const files = stdout.trim().split('\n');
    expect(files).toContain('package/README.md');
    expect(files).toContain('package/LICENSE');
    expect(files).toContain('package/dist/index.js');
    expect(files).toContain('package/dist/index.d.ts');
    expect(files.filter((file) => file.includes('/src/') || file.includes('.test.'))).toEqual([]);
  });

  it('names no workspace protocol and no source condition', async () => {
    const manifest = await readFile(
      join(project, 'node_modules/@pilotlight', name, 'package.json'),
      'utf8',
    );
    expect(manifest).not.toContain('workspace:');
    expect(JSON.parse(manifest).exports['.']).not.toHaveProperty('@pilotlight/source');
  });

  it('imports every entry point that its exports name', async () => {
    const manifest = JSON.parse(
      await readFile(join(project, 'node_modules/@pilotlight', name, 'package.json'), 'utf8'),
    );
    const entries = Object.keys(manifest.exports).filter(
      // Those without types are programs: importing one would run it.
      (entry) => entry !== './package.json' && 'types' in manifest.exports[entry],
    );
    const specifiers = entries.map((entry) => `@pilotlight/${name}${entry.slice(1)}`);
    await writeFile(
      join(project, 'imports.js'),
      `for (const name of ${JSON.stringify(specifiers)}) {
         const module = await import(name);
         if (Object.keys(module).length === 0) throw new Error(name + ' exports nothing');
       }`,
    );
    await expect(run(process.execPath, ['imports.js'], { cwd: project })).resolves.toBeDefined();
  });

  it.skipIf(needsRoot && !isRoot)(
    `runs its README's example${needsRoot ? ' (needs root)' : ''}`,
    async () => {
      const readme = await readFile(
        join(project, 'node_modules/@pilotlight', name, 'README.md'),
        'utf8',
      );
      const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1];
      expect(example).toBeDefined();
      await writeFile(join(project, 'example.ts'), example!);
      const { stdout } = await run(process.execPath, ['example.ts'], {
        cwd: project,
        timeout: 60_000,
      });
      // What the README says in a comment behind it is what it prints.
      for (const [, said] of example!.matchAll(/^console\.log\([^\n]*\); \/\/ (.*)$/gm)) {
        expect(stdout).toContain(said);
      }
    },
  );
});

describe.skipIf(!isRoot)(`the repository's README${isRoot ? '' : ' (needs root)'}`, () => {
  it('has an example that prints what it says', async () => {
    const readme = await readFile(join(root, 'README.md'), 'utf8');
    const example = /```ts\n([\s\S]*?)```/.exec(readme)![1]!;
    const project = join(directory, 'project-init');
    await writeFile(join(project, 'readme.ts'), example);
    const { stdout } = await run(process.execPath, ['readme.ts'], { cwd: project });
    expect(stdout).toContain(/console\.log\(.*\); \/\/ (.*)$/m.exec(example)![1]);
  });
});

describe('@pilotlight/cli, packed', () => {
  it('puts an executable pilotlight into the project', async () => {
    const bin = join(directory, 'project-cli/node_modules/.bin/pilotlight');
    expect((await stat(bin)).mode & 0o111).not.toBe(0);
    const { stdout } = await run(bin, ['--version']);
    expect(stdout.trim()).toMatch(/^pilotlight|^\d/);
  });
});
