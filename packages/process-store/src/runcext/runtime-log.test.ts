import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lastLoggedError, RuntimeLog } from './runtime-log.ts';

describe('lastLoggedError', () => {
  it.each([
    ['', ''],
    ['{"level":"error","msg":"first"}\n{"level":"error","msg":"a \\"b\\"","time":"t"}\n', 'a "b"'],
    ['{"level":"error","msg":"it"}\n{"level":"warning","msg":"later"}\n', 'it'],
    ['{"level":"debug","msg":"only"}\n', '{"level":"debug","msg":"only"}'],
    ['time="t" level=error msg="exec failed: \\"x\\" not found"\n', 'exec failed: "x" not found'],
    ['time="t" level=info msg=fine\ntime="t" level=fatal msg=broken\n', 'broken'],
    ['plain words\n\n', 'plain words'],
    ['{"level":"error","ms', '{"level":"error","ms'],
  ])('lastLoggedError of %j is %j', (log, message) => {
    expect(lastLoggedError(log)).toBe(message);
  });
});

describe('RuntimeLog', () => {
  it('RuntimeLog gives a runtime without a log one that has no name', async () => {
    const names = (): string[] =>
      readdirSync(tmpdir()).filter((name) => name.startsWith('pilotlight-log-'));
    const before = names();
    await using log = await RuntimeLog.prepare({ root: '/r' });
    expect(log.options).toEqual({ root: '/r', logFormat: 'json', log: '/proc/self/fd/3' });
    expect(names()).toEqual(before);
    expect(await log.lastError()).toBe('');
    appendFileSync(`/proc/self/fd/${log.fd}`, '{"level":"error","msg":"why"}\n');
    expect(await log.lastError()).toBe('why');
  });

  it('RuntimeLog reads of a given log only what is new', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'runtime-log-'));
    try {
      const path = join(directory, 'log');
      writeFileSync(path, '{"level":"error","msg":"old"}\n');
      await using log = await RuntimeLog.prepare({ log: path, logFormat: 'text' });
      expect(log.options).toEqual({ log: path, logFormat: 'text' });
      expect([log.fd, await log.lastError()]).toEqual([undefined, '']);
      appendFileSync(path, 'level=error msg=new\n');
      expect(await log.lastError()).toBe('new');
      await using unmade = await RuntimeLog.prepare({ log: join(directory, 'a/b') });
      expect(await unmade.lastError()).toBe('');
      await using fresh = await RuntimeLog.prepare({ log: join(directory, 'fresh') });
      expect([await fresh.lastError(), readFileSync(join(directory, 'fresh'), 'utf8')]).toEqual([
        '',
        '',
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('RuntimeLog leaves standard error to a runtime that debugs there', async () => {
    await using log = await RuntimeLog.prepare({ debug: true });
    expect([log.options, log.fd]).toEqual([{ debug: true }, undefined]);
  });
});
