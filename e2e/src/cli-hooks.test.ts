// Hooks as a user of the command line meets them.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hookKinds, hostRootSpec } from '@pilotlight/init';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isRoot, launcher, missing, start } from './cli-fixture.ts';

const lacking = missing({ root: isRoot });

describe.skipIf(lacking !== '')(`pilotlight and hooks${lacking}`, () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'cli-hooks-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  beforeEach(() => writeFileSync(join(directory, 'log'), ''));

  const log = (): string => readFileSync(join(directory, 'log'), 'utf8');
  const pilotlight = (...args: string[]) =>
    start(launcher, ['--root', join(directory, 'root'), ...args]).outcome;

  /** A bundle on the host's root: paths are the same on both sides. */
  function writeBundle(failing?: string): void {
    const spec = hostRootSpec({ args: ['sh', '-c', 'exit 4'] });
    // The log can be written inside, whatever else cannot.
    spec.mounts!.push({ destination: directory, source: directory, options: ['rbind', 'rw'] });
    spec.hooks = Object.fromEntries(
      hookKinds.map((kind) => {
        const script = `echo ${kind} >> ${directory}/log; ${kind === failing ? 'echo why >&2; exit 1' : ''}`;
        return [kind, [{ path: '/bin/sh', args: ['sh', '-c', script] }]];
      }),
    );
    writeFileSync(
      join(directory, 'config.json'),
      JSON.stringify(spec, (_, value: unknown) =>
        typeof value === 'bigint' ? Number(value) : value,
      ),
    );
  }

  it('run runs the hooks of every kind, those of poststop once, when the record is removed', async () => {
    writeBundle();
    expect(await pilotlight('run', '--bundle', directory, 'one')).toEqual({
      code: 4,
      stdout: '',
      stderr: '',
    });
    expect(log().trim().split('\n')).toEqual([...hookKinds]);

    writeFileSync(join(directory, 'log'), '');
    expect((await pilotlight('run', '--keep', '--bundle', directory, 'two')).code).toBe(4);
    expect(log()).not.toContain('poststop');
    expect((await pilotlight('delete', 'two')).code).toBe(0);
    expect(log().trim().split('\n')).toEqual([...hookKinds]);
  });

  it('run reports a hook that fails, and leaves no record', async () => {
    writeBundle('createContainer');
    const { code, stderr } = await pilotlight('run', '--bundle', directory, 'three');
    expect(code).toBe(125);
    expect(stderr).toContain(
      'run hooks.createContainer[0] /bin/sh: it exited with 1, and said: why',
    );
    expect(stderr).toContain('step: createContainer');
    expect(log().trim().split('\n')).toEqual([
      'prestart',
      'createRuntime',
      'createContainer',
      'poststop',
    ]);
    expect((await pilotlight('list', '--quiet')).stdout).toBe('');
  });

  it('run warns of a poststop hook that fails, and gives the status of the program', async () => {
    writeBundle('poststop');
    expect(await pilotlight('run', '--bundle', directory, 'four')).toEqual({
      code: 4,
      stdout: '',
      stderr:
        'pilotlight: warning: run hooks.poststop[0] /bin/sh: it exited with 1, and said: why\n',
    });
  });
});
