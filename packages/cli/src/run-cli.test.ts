import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Host } from './context.ts';
import { runCli } from './run-cli.ts';

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'run-cli-'))));
afterEach(() => rmSync(directory, { recursive: true }));

async function cli(
  args: string[],
  more: Partial<Host> = {},
): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const host: Host = {
    stdout: { write: (text) => void (out += text) },
    stderr: { write: (text) => void (err += text) },
    env: {},
    uid: process.geteuid?.() ?? 0,
    cwd: () => directory,
    now: () => new Date('2026-01-02T03:04:05.678Z'),
    isTerminal: () => false,
    onSignal: () => () => undefined,
    ...more,
  };
  const code = await runCli(['--root', join(directory, 'store'), ...args], host);
  return { code, out, err };
}

describe('runCli', () => {
  it('lists nothing, and makes no store for it', async () => {
    expect(await cli(['list'])).toEqual({
      code: 0,
      out: expect.stringMatching(/^ID +PID +.*OWNER\n$/),
      err: '',
    });
    expect(await cli(['list', '--quiet'])).toEqual({ code: 0, out: '', err: '' });
    expect(await cli(['list', '-f', 'json'])).toEqual({ code: 0, out: 'null\n', err: '' });
    expect(readdirSync(directory)).toEqual([]);
  });

  it('writes a specification that it then keeps', async () => {
    expect((await cli(['spec'])).code).toBe(0);
    expect((await cli(['spec'])).err).toMatch(/it exists already/);
    expect((await cli(['spec', '--bundle', 'nowhere'])).err).toMatch(
      /nowhere\/config\.json: ENOENT/,
    );
    expect(readdirSync(directory)).toEqual(['config.json']);
  });

  it('forgives an unknown id to delete --force only', async () => {
    expect((await cli(['delete', '--force', 'x'])).code).toBe(0);
    expect((await cli(['delete', 'x'])).code).toBe(125);
  });

  it('prints help, and succeeds', async () => {
    for (const args of [['--help'], ['run', '--help'], []]) {
      const { code, out, err } = await cli(args);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(out).toMatch(/^USAGE\n/);
    }
  });

  it('prints one error for several mistakes', async () => {
    const { code, err } = await cli(['kill']);
    expect(code).toBe(125);
    expect(err.match(/^pilotlight:/gm)).toHaveLength(1);
  });

  it('colours for a terminal, unless NO_COLOR says otherwise', async () => {
    const terminal = { isTerminal: () => true };
    expect((await cli(['state', 'x'], terminal)).err).toContain('\u001b[');
    expect((await cli(['state', 'x'], { ...terminal, env: { NO_COLOR: '1' } })).err).not.toContain(
      '\u001b[',
    );
    expect((await cli(['state', 'x'], { ...terminal, env: { TERM: 'dumb' } })).err).not.toContain(
      '\u001b[',
    );
    expect((await cli(['state', 'x'])).err).not.toContain('\u001b[');
  });

  it('logs errors in the forms of runc', async () => {
    const log = join(directory, 'log');
    await cli(['--log', log, '--log-format', 'json', 'state', 'x']);
    await cli(['--log', log, 'state', 'x']);
    const [json, text] = readFileSync(log, 'utf8').split('\n');
    expect(JSON.parse(json!)).toEqual({
      level: 'error',
      msg: expect.stringMatching(/^find process x in /),
      time: '2026-01-02T03:04:05Z',
      code: 'ERR_STORE_NOT_FOUND',
      hint: expect.any(String),
    });
    expect(text).toMatch(
      /^time="2026-01-02T03:04:05Z" level=error msg="find process x in [^"]+" code=ERR_STORE_NOT_FOUND hint="/,
    );
  });
});
