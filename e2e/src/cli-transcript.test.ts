import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseTranscript, replayTranscript } from '@pilotlight/sync/transcript';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { isRoot, missing, Scratch } from './cli-fixture.ts';

const scratch = new Scratch();
afterEach(() => scratch.requireEmpty());
afterAll(() => scratch.remove());
const file = join(scratch.directory, 'transcript');

describe.skipIf(!isRoot)(`pilotlight run --transcript${missing({ root: isRoot })}`, () => {
  it('writes the handshake down, and sync decode draws it', async () => {
    const { code } = await scratch.run(['run', '--transcript', file, '--', 'true']);
    expect(code).toBe(0);
    const { stdout } = await scratch.run(['sync', 'decode', file]);
    const said = stdout
      .split('\n')
      .map((line) => /(proc\w+|end of file)/.exec(line)?.[0])
      .filter((text) => text !== undefined);
    expect(said).toEqual([
      'procHooks',
      'procHooksDone',
      'procReady',
      'procRun',
      'end of file',
      'end of file',
    ]);
    const [heading, , columns] = stdout.split('\n');
    expect(heading).toContain('recorded by the parent');
    expect(columns).toMatch(/parent +child$/);
  });

  it('is what a test can replay, message for message', async () => {
    await scratch.run(['run', '--transcript', file, '--', 'true']);
    const channel = replayTranscript(parseTranscript(readFileSync(file, 'utf8')));
    expect((await channel.receive())?.message.type).toBe('procHooks');
    await channel.send({ type: 'procHooksDone', flags: 0 } as never);
    expect((await channel.receive())?.message.type).toBe('procReady');
    await expect(channel.send({ type: 'procReady', flags: 0 } as never)).rejects.toThrow(
      'procReady',
    );
  });

  it('tells of a launch that failed, too', async () => {
    const { code } = await scratch.run(['run', '--transcript', file, '--', 'no-such-program']);
    expect(code).toBe(127);
    const { stdout } = await scratch.run(['sync', 'decode', file]);
    expect(stdout.replaceAll(/\s+/g, '')).toContain(
      'procError{"message":"run\\"no-such-program\\"',
    );
  });

  it('runs nothing when the file cannot be written', async () => {
    const nowhere = join(scratch.directory, 'no/such/directory');
    const { code, stderr } = await scratch.run([
      'run',
      '--transcript',
      nowhere,
      '--',
      'sleep',
      '60',
    ]);
    expect(code).toBe(125);
    expect(stderr).toMatch(/write the transcript .*ENOENT/);
  });
});

describe('pilotlight sync decode', () => {
  it('says which line of a file is no transcript', async () => {
    writeFileSync(file, 'root:x:0:0\n');
    const { code, stderr } = await scratch.run(['sync', 'decode', file]);
    expect(code).toBe(125);
    expect(stderr).toContain('line 1');
  });

  it('says what is wrong with a line in one line', async () => {
    const begin = { event: 'begin', format: 1, time: '2026-01-01T00:00:00.000Z' };
    writeFileSync(file, `${JSON.stringify({ ...begin, dialect: 'none', recordedBy: 'parent' })}\n`);
    const { code, stderr } = await scratch.run(['sync', 'decode', file]);
    expect(code).toBe(125);
    expect(stderr.trim().split('\n').length).toBeLessThan(4);
  });

  it('reads no file without end', async () => {
    const { code, stderr } = await scratch.run(['sync', 'decode', '/dev/zero']);
    expect(code).toBe(125);
    expect(stderr).toContain('read the transcript /dev/zero: it is larger than 67108864 bytes');
  });

  it('says that there is no such file', async () => {
    const { code, stderr } = await scratch.run(['sync', 'decode', join(scratch.directory, 'none')]);
    expect(code).toBe(125);
    expect(stderr).toMatch(/read the transcript .*ENOENT/);
  });
});
