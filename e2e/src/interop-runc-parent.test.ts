// Real `runc create` and `runc start` as the parent of a child that speaks through our library.
//
// runc always executes itself as its child, so that is diverted at load time: by an object in
// /etc/ld.so.preload, in a mount namespace of the test's own.
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BusyboxBundle, makeBundle, missing } from './init-bundle.ts';

const run = promisify(execFile);
const hasCompiler = (process.env['PATH'] ?? '')
  .split(':')
  .some((path) => existsSync(join(path, 'cc')));
const lacking = missing('root', 'busybox-static', 'runc') || (hasCompiler ? '' : ' (needs cc)');

describe.skipIf(lacking !== '')(`runc create with our child${lacking}`, () => {
  let directory: string;
  let bundle: BusyboxBundle;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'runc-parent-'));
    bundle = makeBundle();
    const replacement = join(directory, 'replacement');
    const child = join(import.meta.dirname, 'fixtures/runc-child.ts');
    writeFileSync(replacement, `#!/bin/sh\nexec ${process.execPath} ${child}\n`);
    chmodSync(replacement, 0o755);
    execFileSync('cc', [
      '-shared',
      '-fPIC',
      `-DREPLACEMENT="${replacement}"`,
      '-o',
      join(directory, 'divert.so'),
      join(import.meta.dirname, 'fixtures/divert-init.c'),
    ]);
    writeFileSync(join(directory, 'ld.so.preload'), `${join(directory, 'divert.so')}\n`);
  });

  afterAll(() => {
    rmSync(directory, { recursive: true });
    bundle.remove();
  });

  /** A stock bundle of runc's own, without namespaces: the stand-in makes none. */
  function writeConfig(args: string[]): void {
    rmSync(join(bundle.path, 'config.json'), { force: true });
    execFileSync('runc', ['spec', '--bundle', bundle.path]);
    const file = join(bundle.path, 'config.json');
    const config = JSON.parse(readFileSync(file, 'utf8'));
    config.process.args = args;
    config.process.terminal = false;
    writeFileSync(file, JSON.stringify(config));
  }

  /** runc with its init diverted; `; ` lines run in one private mount namespace. */
  async function diverted(
    script: string,
  ): Promise<{ stdout: string; stderr: string; code: number }> {
    const preload = join(directory, 'ld.so.preload');
    const whole = `touch /etc/ld.so.preload && mount --bind ${preload} /etc/ld.so.preload && ${script}`;
    const hadPreload = existsSync('/etc/ld.so.preload');
    try {
      const { stdout, stderr } = await run('unshare', ['-m', 'sh', '-c', whole], {
        cwd: bundle.path,
        timeout: 60_000,
      });
      return { stdout, stderr, code: 0 };
    } catch (error) {
      const { stdout, stderr, code } = error as { stdout: string; stderr: string; code: number };
      return { stdout, stderr, code };
    } finally {
      if (!hadPreload) rmSync('/etc/ld.so.preload', { force: true });
    }
  }

  const runc = (command: string): string => `runc --root ${directory}/state ${command}`;

  it('takes its procReady, and start runs its program', async () => {
    const output = join(directory, 'output');
    writeConfig(['/bin/sh', '-c', 'echo "program $0 as $(id -u)"', 'ours']);
    const created = await diverted(
      `${runc('create ours')} >${output} 2>&1 </dev/null && ${runc('state ours')} && ${runc('start ours')}`,
    );
    try {
      expect(created).toMatchObject({ code: 0 });
      expect(JSON.parse(created.stdout)).toMatchObject({ id: 'ours', status: 'created' });
      for (let tries = 0; tries < 100 && readFileSync(output, 'utf8') === ''; tries++)
        await sleep(50);
      expect(readFileSync(output, 'utf8')).toBe('program ours as 0\n');
    } finally {
      await run('runc', ['--root', `${directory}/state`, 'delete', '-f', 'ours']);
    }
  });

  it('fails with the text of its procError', async () => {
    writeConfig(['fail-please']);
    const created = await diverted(`${runc('create failing')} </dev/null`);
    expect(created.code).not.toBe(0);
    expect(created.stderr).toContain('the child says: no such luck');
    const { stdout } = await run('runc', ['--root', `${directory}/state`, 'list', '-q']);
    expect(stdout).toBe('');
  });
});
