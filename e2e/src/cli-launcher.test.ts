import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { launcher, runProgram, Scratch } from './cli-fixture.ts';

const scratch = new Scratch();
afterEach(() => scratch.requireEmpty());
afterAll(() => scratch.remove());

const version = /^pilotlight version \d+\.\d+\.\d+\nspec: \d+\.\d+\.\d+\nnode: v\d+/;

describe('bin/pilotlight', () => {
  it('works with an empty environment', async () => {
    const { code, stdout } = await runProgram('/usr/bin/env', ['-i', launcher, '--version']);
    expect(code).toBe(0);
    expect(stdout).toMatch(version);
    const list = await runProgram('/usr/bin/env', ['-i', launcher, '--root', scratch.root, 'list']);
    expect(list).toMatchObject({ code: 0, stderr: '' });
    expect(list.stdout).toMatch(/^ID +PID +STATUS +BUNDLE +CREATED +OWNER\n$/);
  });

  it('works through chains of symlinks, absolute and relative, and through linked directories', async () => {
    mkdirSync(scratch.path('a', 'b'), { recursive: true });
    symlinkSync(launcher, scratch.path('one'));
    symlinkSync('../../one', scratch.path('a', 'b', 'two'));
    symlinkSync('b/two', scratch.path('a', 'three'));
    symlinkSync(dirname(launcher), scratch.path('linked'));
    for (const path of [['one'], ['a', 'b', 'two'], ['a', 'three'], ['linked', 'pilotlight']]) {
      expect((await runProgram(scratch.path(...path), ['--version'])).stdout).toMatch(version);
    }
    const cwd = scratch.path('a');
    expect((await runProgram('./three', ['--version'], { cwd })).stdout).toMatch(version);
    expect((await runProgram('sh', ['three', '--version'], { cwd })).stdout).toMatch(version);
    const PATH = `${cwd}:${process.env['PATH']}`;
    expect((await runProgram('three', ['--version'], { env: { PATH } })).stdout).toMatch(version);
  });

  it('does not let options for other Node programs in', async () => {
    const env = { PATH: process.env['PATH'] ?? '', NODE_OPTIONS: '--no-such-option' };
    expect((await runProgram(launcher, ['--version'], { env })).code).toBe(0);
  });

  it('says what to do where nothing is built', async () => {
    mkdirSync(scratch.path('clone', 'bin'), { recursive: true });
    copyFileSync(launcher, scratch.path('clone', 'bin', 'pilotlight'));
    const { code, stderr } = await runProgram(scratch.path('clone', 'bin', 'pilotlight'), ['list']);
    expect(code).toBe(125);
    expect(stderr).toMatch(/it is not built\n {2}hint: Run `npx .* build`/);
  });

  it('prints its help, and that of each command', async () => {
    for (const args of [['--help'], ['-h'], []]) {
      const { code, stdout } = await scratch.run(args);
      expect(code).toBe(0);
      expect(stdout).toMatch(/COMMANDS\n {2}run +Launch/);
    }
    const verbs = 'run spec state list kill wait delete info exec-ext sync';
    for (const verb of verbs.split(' ')) {
      const { code, stdout } = await scratch.run([verb, '--help']);
      expect(code).toBe(0);
      expect(stdout).toContain(`pilotlight ${verb}`);
    }
  });
});
