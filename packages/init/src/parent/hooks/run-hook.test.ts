import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isLaunchError } from '../../errors.ts';
import { ociState } from '../../hooks/oci-state.ts';
import type { PlannedHook } from '../../plan/hooks.ts';
import { runHooks, runPlannedPoststop } from './launch-hooks.ts';
import { runHook } from './run-hook.ts';

let directory: string;
beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'run-hook-')));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const at = (name: string): string => join(directory, name);
const read = (name: string): string => readFileSync(at(name), 'utf8');

const shell = (script: string, more: Partial<PlannedHook> = {}): PlannedHook => ({
  kind: 'prestart',
  index: 4,
  path: '/bin/sh',
  args: ['zero', '-c', script],
  env: [],
  timeoutMs: null,
  ...more,
});
const state = ociState({ id: 'demo', bundle: '/b', annotations: { a: '"ü"' } }, 'creating', 7);
const run = (hook: PlannedHook, signal?: AbortSignal): Promise<void> =>
  runHook(hook, { cwd: directory, state, defaultTimeoutMs: 30_000, signal });

/** Whether it still has members; a killed one counts until somebody has reaped it. */
function isGroup(leader: number): boolean {
  try {
    process.kill(-leader, 0);
    return true;
  } catch {
    return false;
  }
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('runHook', () => {
  it('runHook gives the hook the state, its arguments, the directory and nothing but its environment', async () => {
    const script =
      'cat > state; echo "$0 $@" > args; pwd > cwd; tr "\\0" "\\n" < /proc/self/environ > env';
    await run(
      shell(script, {
        args: ['zero', '-c', script, 'one', 'two words'],
        env: ['A=1', 'PATH=/usr/bin:/bin', '__proto__=x', 'B=c=d'],
      }),
    );
    expect(read('state')).toBe(JSON.stringify(state));
    expect(read('args')).toBe('one two words\n');
    expect(read('cwd')).toBe(`${directory}\n`);
    const names = read('env').trim().split('\n');
    expect(names.filter((entry) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(entry)).toSorted()).toEqual([
      'A=1',
      'B=c=d',
      'PATH=/usr/bin:/bin',
      '__proto__=x',
    ]);
  });

  it('runHook is told argv[0]', async () => {
    await run({
      ...shell(''),
      path: '/bin/sh',
      args: ['other name', '-c', 'tr "\\0" "|" < /proc/$$/cmdline > argv; true'],
    });
    expect(read('argv')).toMatch(/^other name\|-c\|/);
  });

  it('runHook fails with what the hook printed', async () => {
    const error = await failureOf(run(shell('echo out; echo err >&2; exit 9')));
    expect(isLaunchError(error)).toBe(true);
    expect(error).toMatchObject({ step: 'prestart', index: 4, path: '/bin/sh' });
    expect((error as Error).message).toMatch(
      /^run hooks\.prestart\[4\] \/bin\/sh: it exited with 9, and said: (out\nerr|err\nout)$/,
    );
    expect(await failureOf(run(shell('kill -TERM $$')))).toMatchObject({
      message: expect.stringContaining('it was killed by signal SIGTERM'),
    });
  });

  it('runHook keeps the end of a long output', async () => {
    const error = await failureOf(
      run(shell('head -c 3000000 /dev/zero | tr "\\0" x; echo END; exit 1')),
    );
    expect((error as Error).message.length).toBeLessThan(4300);
    expect((error as Error).message).toMatch(/xEND$/);
  });

  it('runHook reports a program that is not there, or is none', async () => {
    expect(await failureOf(run(shell('', { path: '/does/not/exist' })))).toMatchObject({
      code: 'ERR_INIT_LAUNCH',
      syscall: 'execve',
      errno: -2,
      errnoCode: 'ENOENT',
      path: '/does/not/exist',
      index: 4,
    });
    expect(await failureOf(run(shell('', { path: '/' })))).toMatchObject({ errnoCode: 'EACCES' });
  });

  it.each([
    ['its own timeout', 300, 30_000],
    ['the default', null, 300],
  ])(
    'runHook kills the hook and what it started after %s',
    async (_, timeoutMs, defaultTimeoutMs) => {
      const script = 'echo $$ > pid; echo waiting; sleep 1000; echo never > late';
      const hook = shell(script, { timeoutMs });
      const error = await failureOf(runHook(hook, { cwd: directory, state, defaultTimeoutMs }));
      expect(error).toMatchObject({
        message:
          'run hooks.prestart[4] /bin/sh: it ran past its timeout of 0.3 s and was killed, and said: waiting',
        hint: expect.stringContaining('timeout'),
      });
      await expect.poll(() => isGroup(Number(read('pid')))).toBe(false);
      expect(existsSync(at('late'))).toBe(false);
    },
  );

  it('runHook does not mind a hook that leaves its input unread, however long it is', async () => {
    const large = ociState(
      { id: 'x', bundle: '/', annotations: { a: 'x'.repeat(3_000_000) } },
      'created',
    );
    const options = { cwd: directory, state: large, defaultTimeoutMs: 30_000 };
    await expect(runHook(shell('exec 0<&-; exit 0'), options)).resolves.toBeUndefined();
    const reader = runHook(shell('test $(wc -c) -gt 3000000'), options);
    await expect(reader).resolves.toBeUndefined();
  });

  function killLeft(): void {
    const pid = Number(read('left'));
    // Of nothing it would be 0, which is this whole process group.
    expect(pid).toBeGreaterThan(1);
    process.kill(pid, 'SIGKILL');
  }

  it('runHook does not wait for what the hook leaves running', async () => {
    await run(shell('sleep 1000 & echo $! > left'));
    killLeft();
    const error = await failureOf(run(shell('echo words; sleep 1000 & echo $! > left; exit 2')));
    killLeft();
    expect((error as Error).message).toMatch(/exited with 2, and said: words$/);
  });

  it('runHook ends with the reason of the signal, and the hook is dead by then', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    expect(await failureOf(run(shell('true'), AbortSignal.abort(reason)))).toBe(reason);
    rmSync(at('pid'), { force: true });
    const running = failureOf(
      run(shell('echo $$ > pid.part; mv pid.part pid; sleep 1000; true'), controller.signal),
    );
    await expect.poll(() => existsSync(at('pid'))).toBe(true);
    controller.abort(reason);
    expect(await running).toBe(reason);
    await expect.poll(() => isGroup(Number(read('pid')))).toBe(false);
  });
});

const plannedHooks = (kind: 'createRuntime' | 'poststop', ...scripts: string[]) => ({
  state: { id: 'demo', bundle: directory },
  prestart: [],
  createRuntime: [],
  createContainer: [],
  startContainer: [],
  poststart: [],
  poststop: [],
  [kind]: scripts.map((script, index) => shell(script, { kind, index })),
});

describe('runHooks', () => {
  it('runHooks runs one after the other and stops at the first that fails', async () => {
    const hooks = plannedHooks(
      'createRuntime',
      'cat > one',
      'sleep 0.1; test -e one && echo > two',
      'exit 1',
      'echo > three',
    );
    const error = await failureOf(
      runHooks(
        hooks,
        'createRuntime',
        { status: 'creating', pid: 5 },
        { defaultTimeoutMs: 30_000 },
      ),
    );
    expect(error).toMatchObject({ step: 'createRuntime', index: 2 });
    expect(['one', 'two', 'three'].map((name) => existsSync(at(name)))).toEqual([
      true,
      true,
      false,
    ]);
    expect(JSON.parse(read('one'))).toEqual({
      ociVersion: '1.3.0',
      id: 'demo',
      status: 'creating',
      pid: 5,
      bundle: directory,
    });
  });
});

describe('runPlannedPoststop', () => {
  it('runPlannedPoststop tells of each failure and runs the rest', async () => {
    const hooks = plannedHooks('poststop', 'exit 1', 'echo > stop-two', 'exit 3');
    const warnings: Error[] = [];
    await runPlannedPoststop(hooks, {
      defaultTimeoutMs: 30_000,
      onWarning: (warning) => void warnings.push(warning),
    });
    expect(warnings).toMatchObject([{ index: 0 }, { index: 2 }]);
    expect(existsSync(at('stop-two'))).toBe(true);
    await runPlannedPoststop(hooks, { defaultTimeoutMs: 30_000 });
  });

  it('runPlannedPoststop stops at its signal', async () => {
    const reason = new Error('enough');
    const options = { defaultTimeoutMs: 1, signal: AbortSignal.abort(reason) };
    expect(
      await failureOf(runPlannedPoststop(plannedHooks('poststop', 'echo > stop-late'), options)),
    ).toBe(reason);
    expect(existsSync(at('stop-late'))).toBe(false);
  });
});
