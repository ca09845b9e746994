import { existsSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { hasBusybox, isRoot, launcher, missing, runProgram, Scratch } from './cli-fixture.ts';

const scratch = new Scratch();
afterEach(() => scratch.requireEmpty());
afterAll(() => scratch.remove());

describe.skipIf(!isRoot || !hasBusybox)(
  `pilotlight run --detach${missing({ root: isRoot, busybox: hasBusybox })}`,
  () => {
    it('returns at once; a later wait, from another process, gives the true status', async () => {
      const id = scratch.id();
      expect(scratch.detach(['--bundle', scratch.bundle('sleep 0.5; exit 9'), id])).toBe(0);
      const state = JSON.parse((await scratch.run(['state', id])).stdout) as {
        pid: number;
        status: string;
      };
      expect(state.status).toBe('running');
      expect(existsSync(`/proc/${state.pid}`)).toBe(true);
      expect(await scratch.run(['wait', id])).toEqual({ code: 0, stdout: '9\n', stderr: '' });
      const after = JSON.parse((await scratch.run(['state', id])).stdout) as object;
      expect(after).toMatchObject({ status: 'stopped', pid: 0 });
      expect((await scratch.run(['delete', id])).code).toBe(0);
    });

    it('leaves the program to the subreaper of the caller', async () => {
      const id = scratch.id();
      const pidFile = scratch.path('pid');
      const bundle = scratch.bundle('sleep 60');
      expect(scratch.detach(['--bundle', bundle, '--pid-file', pidFile, id])).toBe(0);
      const status = readFileSync(`/proc/${readFileSync(pidFile, 'utf8')}/status`, 'utf8');
      // Whoever it is, it is not the launcher, which is gone.
      const parent = /^PPid:\t(\d+)$/m.exec(status)?.[1] ?? '';
      expect(readFileSync(`/proc/${parent}/cmdline`, 'utf8')).not.toContain('pilotlight.js');
      expect((await scratch.run(['delete', '--force', id])).code).toBe(0);
    });

    it('prints nothing, and gives the program the streams of the caller', async () => {
      const id = scratch.id();
      const bundle = scratch.bundle('echo from the program; sleep 0.3; exit 2');
      // The pipe ends with the program, not with the launcher: it is the program that holds it.
      const outcome = await scratch.run(['run', '-d', '-b', bundle, id]);
      expect(outcome).toEqual({ code: 0, stdout: 'from the program\n', stderr: '' });
      expect((await scratch.run(['wait', id])).stdout).toBe('2\n');
      await scratch.run(['delete', id]);
    });

    it('runs nothing when its pid file cannot be written', async () => {
      const bundle = scratch.bundle('echo ran >/out/ran; sleep 60', (spec) => {
        spec.mounts!.push({
          destination: '/out',
          type: 'bind',
          source: scratch.directory,
          options: ['bind'],
        });
      });
      const args = ['run', '-d', '-b', bundle, '--pid-file', '/no/such/pid', scratch.id()];
      const { code, stderr } = await scratch.run(args);
      expect(code).toBe(125);
      expect(stderr).toMatch(/write the pid file \/no\/such\/pid: ENOENT/);
      expect(existsSync(scratch.path('ran'))).toBe(false);
    });

    it('writes its pid file before the program runs', async () => {
      const pidFile = scratch.path('early-pid');
      const id = scratch.id();
      const bundle = scratch.bundle('cat /out/early-pid >/out/seen; exit 0', (spec) => {
        spec.mounts!.push({
          destination: '/out',
          type: 'bind',
          source: scratch.directory,
          options: ['bind'],
        });
      });
      expect(scratch.detach(['-b', bundle, '--pid-file', pidFile, id])).toBe(0);
      await scratch.run(['wait', id]);
      expect(readFileSync(scratch.path('seen'), 'utf8')).toBe(readFileSync(pidFile, 'utf8'));
      await scratch.run(['delete', id]);
    });
  },
);

describe.skipIf(!isRoot || !hasBusybox)(
  `pilotlight wait, kill, list and delete${missing({ root: isRoot, busybox: hasBusybox })}`,
  () => {
    it('wait prints a status for each id, in the order given', async () => {
      const ids = [scratch.id(), scratch.id(), scratch.id()];
      const scripts = ['sleep 0.6; exit 1', 'exit 2', 'sleep 60'];
      for (const [index, script] of scripts.entries()) {
        expect(scratch.detach(['-b', scratch.bundle(script), ids[index]!])).toBe(0);
      }
      expect((await scratch.run(['kill', ids[2]!, 'SIGKILL'])).code).toBe(0);
      expect((await scratch.run(['wait', ...ids])).stdout).toBe('1\n2\n137\n');
      for (const id of ids) expect((await scratch.run(['delete', id])).code).toBe(0);
    });

    it.each(['TERM', 'SIGTERM', 'term', '15'])('kill takes %s as SIGTERM', async (signal) => {
      const id = scratch.id();
      const ready = scratch.path(`ready-${id}`);
      const bundle = scratch.bundle(
        'trap "exit 44" TERM; echo ready; while :; do sleep 0.05; done',
      );
      // Through a file: its creation with content tells that the trap is set.
      const line = `${launcher} --root ${scratch.root} run -d -b ${bundle} ${id} > ${ready} 2>&1 < /dev/null`;
      expect((await runProgram('sh', ['-c', line])).code).toBe(0);
      while (readFileSync(ready, 'utf8') !== 'ready\n')
        await new Promise((wake) => setTimeout(wake, 10));
      expect((await scratch.run(['kill', id, signal])).code).toBe(0);
      expect((await scratch.run(['wait', id])).stdout).toBe('44\n');
      expect((await scratch.run(['delete', id])).code).toBe(0);
    });

    it('kill of a process that has ended, and delete of one that runs, are errors', async () => {
      const [ended, running] = [scratch.id(), scratch.id()];
      expect(scratch.detach(['-b', scratch.bundle('exit 0'), ended])).toBe(0);
      expect(scratch.detach(['-b', scratch.bundle('sleep 60'), running])).toBe(0);
      expect((await scratch.run(['wait', ended])).stdout).toBe('0\n');
      const killed = await scratch.run(['kill', ended]);
      expect(killed.code).toBe(125);
      expect(killed.stderr).toMatch(/^pilotlight: send .* to .*\n {2}hint: /);
      const deleted = await scratch.run(['delete', running]);
      expect(deleted.code).toBe(125);
      expect(deleted.stderr).toMatch(/is running\n {2}hint: .*force/);
      expect((await scratch.run(['list', '-q'])).stdout.split('\n').toSorted()).toEqual(
        ['', ended, running].toSorted(),
      );
      expect((await scratch.run(['delete', '-f', running])).code).toBe(0);
      expect((await scratch.run(['delete', ended])).code).toBe(0);
      expect((await scratch.run(['delete', ended])).code).toBe(125);
      expect(await scratch.run(['delete', '--force', ended])).toEqual({
        code: 0,
        stdout: '',
        stderr: '',
      });
    });
  },
);
