import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPidFile } from './read-pid-file.ts';

describe('readPidFile', () => {
  let directory: string;
  let path: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'pid-file-'));
    path = join(directory, 'pid');
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it.each([
    ['1', 1],
    ['4194304', 4_194_304],
    ['+17', 17],
    ['0017', 17],
  ])('readPidFile reads %j', async (text, pid) => {
    writeFileSync(path, text);
    expect(await readPidFile(path)).toBe(pid);
  });

  it.each([
    '17\n',
    ' 17',
    '17 ',
    '0',
    '-17',
    '4194305',
    '1e3',
    '0x11',
    '1_0',
    '17.0',
    'abc',
    '+',
    '\n',
    '٣',
    `${'0'.repeat(40)}17`,
    '17\0',
  ])('readPidFile refuses %j', async (text) => {
    writeFileSync(path, text);
    await expect(readPidFile(path)).rejects.toMatchObject({ code: 'ERR_STORE_PID_FILE', path });
  });

  it('readPidFile waits for a file that is about to be written', async () => {
    writeFileSync(path, '');
    const reading = readPidFile(path, { signal: AbortSignal.timeout(10_000) });
    setTimeout(() => writeFileSync(path, '42'), 30);
    expect(await reading).toBe(42);
  });

  it('readPidFile gives up on an empty file when it is told to', async () => {
    writeFileSync(path, '');
    await expect(readPidFile(path, { signal: AbortSignal.timeout(20) })).rejects.toMatchObject({
      code: 'ERR_STORE_PID_FILE',
      message: expect.stringContaining('stays empty'),
      cause: expect.objectContaining({ name: 'TimeoutError' }),
    });
  });

  it('readPidFile passes on that there is no file', async () => {
    const signal = AbortSignal.timeout(10_000);
    await expect(readPidFile(join(directory, 'none'), { signal })).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});
