// What a monitor does for a detached program: its log, and starting it again.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { isRoot, missing, Scratch } from './cli-fixture.ts';

const scratch = new Scratch();
afterEach(() => scratch.requireEmpty());
afterAll(() => scratch.remove());

/** A line of the CRI format: time, stream, whole or partial, content. */
const criLine = (stream: 'stdout' | 'stderr', content: string): RegExp =>
  new RegExp(String.raw`^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d) ${stream} F ${content}$`, 'm');

const lines = (file: string): string[] =>
  existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];

/** It does when it has nothing to do any more; whoever asked it would keep it. */
const monitorHasLeft = (): Promise<void> =>
  expect.poll(() => existsSync(join(scratch.root, 'monitor.sock'))).toBe(false);

describe('pilotlight run with flags that need a monitor', () => {
  it.each([
    [['--restart', 'always', '--', 'true'], /--restart is only for a detached program/],
    [['--log-driver', 'none', '--', 'true'], /--log-driver is only for a detached program/],
    [['--log-opt', 'path=/x', '--', 'true'], /--log-opt is only for a detached program/],
    [['-d', '--restart', 'never', '--', 'true'], /"never" is no restart policy/],
    [['-d', '--restart', 'on-failure:x', '--', 'true'], /"x" is not a number of restarts/],
    [['-d', '--log-driver', 'json', '--', 'true'], /"json": there is none[^]*none, file, cri/],
    [['-d', '--log-driver', 'file', '--', 'true'], /use nothing as path of a log/],
    [['-d', '--log-driver', 'cri', '--log-opt', 'x', '--', 'true'], /not of the form KEY=VALUE/],
    [['-d', '--log-opt', 'path=/x', '--', 'true'], /--log-opt needs --log-driver/],
    [['-d', '--restar', 'no', '--', 'true'], /unknown flag --restar\n[^]*Did you mean --restart\?/],
    [['-d', '--logDrive', 'cri', '--', 'true'], /unknown flag[^]*Did you mean --log-driver\?/],
  ])('refuses %j', async (args, message) => {
    const { code, stdout, stderr } = await scratch.run(['run', ...args]);
    expect({ code, stdout }).toEqual({ code: 125, stdout: '' });
    expect(stderr).toMatch(/^pilotlight: [^\n]+\n {2}hint: [^\n]+\n$/);
    expect(stderr).toMatch(message);
    expect(existsSync(scratch.root)).toBe(false);
  });
});

describe.skipIf(!isRoot)(`pilotlight run --log-driver${missing({ root: isRoot })}`, () => {
  it('cri has the output in lines with time and stream, whoever is there to read it', async () => {
    const [id, log] = [scratch.id(), scratch.path('cri.log')];
    const script = 'echo to standard output; echo to standard error >&2; exit 5';
    const options = ['--log-driver', 'cri', '--log-opt', `path=${log}`, '--log-opt', 'max-file=2'];
    expect(scratch.detach([...options, id, '--', 'sh', '-c', script])).toBe(0);
    expect((await scratch.run(['wait', id])).stdout).toBe('5\n');
    await expect.poll(() => lines(log)).toHaveLength(2);
    const text = readFileSync(log, 'utf8');
    expect(text).toMatch(criLine('stdout', 'to standard output'));
    expect(text).toMatch(criLine('stderr', 'to standard error'));
    expect((await scratch.run(['delete', id])).code).toBe(0);
  });

  it('file has the output as it was written, without anybody in between', async () => {
    const [id, log] = [scratch.id(), scratch.path('file.log')];
    const options = ['--log-driver', 'file', '--log-opt', `path=${log}`];
    const script = 'printf one; echo two >&2';
    expect(scratch.detach([...options, id, '--', 'sh', '-c', script])).toBe(0);
    expect((await scratch.run(['wait', id])).stdout).toBe('0\n');
    expect(readFileSync(log, 'utf8')).toBe('onetwo\n');
    expect((await scratch.run(['delete', id])).code).toBe(0);
  });

  it('none throws the output away', async () => {
    const id = scratch.id();
    const command = ['run', '-d', '--log-driver', 'none', id, '--', 'echo', 'unseen'];
    expect(await scratch.run(command)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect((await scratch.run(['wait', id])).stdout).toBe('0\n');
    expect((await scratch.run(['delete', id])).code).toBe(0);
  });
});

describe.skipIf(!isRoot)(`pilotlight run --restart${missing({ root: isRoot })}`, () => {
  /** A line in the log for each time that it is started. */
  const startsOf = (log: string): string[] => ['--log-driver', 'file', '--log-opt', `path=${log}`];

  it('on-failure:2 starts it again twice, and leaves it ended with its true status', async () => {
    const [id, log] = [scratch.id(), scratch.path('twice.log')];
    const command = ['sh', '-c', 'echo started; exit 7'];
    const flags = ['--restart', 'on-failure:2', ...startsOf(log)];
    expect(scratch.detach([...flags, id, '--', ...command])).toBe(0);
    await expect.poll(() => lines(log)).toEqual(['started', 'started', 'started']);
    expect((await scratch.run(['wait', id])).stdout).toBe('7\n');
    // The monitor has decided by the time that it has nothing to do any more.
    await monitorHasLeft();
    expect(lines(log)).toHaveLength(3);
    expect(JSON.parse((await scratch.run(['state', id])).stdout)).toMatchObject({
      status: 'stopped',
    });
    expect((await scratch.run(['delete', id])).code).toBe(0);
  });

  it('always is over when somebody kills it', async () => {
    const [id, log] = [scratch.id(), scratch.path('killed.log')];
    const flags = ['--restart', 'always', ...startsOf(log)];
    const command = ['sh', '-c', 'echo started; exec sleep 1000'];
    expect(scratch.detach([...flags, id, '--', ...command])).toBe(0);
    await expect.poll(() => lines(log)).toHaveLength(1);
    expect((await scratch.run(['kill', id, 'KILL'])).code).toBe(0);
    expect((await scratch.run(['wait', id])).stdout).toBe('137\n');
    await monitorHasLeft();
    expect(lines(log)).toHaveLength(1);
    expect((await scratch.run(['delete', id])).code).toBe(0);
  });

  it('always is over when it is deleted by force, while it runs or waits to be started', async () => {
    const [id, log] = [scratch.id(), scratch.path('deleted.log')];
    const flags = ['--restart', 'always', ...startsOf(log)];
    expect(scratch.detach([...flags, id, '--', 'sh', '-c', 'echo started'])).toBe(0);
    await expect.poll(() => lines(log).length).toBeGreaterThan(2);
    expect((await scratch.run(['delete', '--force', id])).code).toBe(0);
    const count = lines(log).length;
    expect((await scratch.run(['list', '-q'])).stdout).toBe('');
    await monitorHasLeft();
    expect(lines(log)).toHaveLength(count);
  });
});
