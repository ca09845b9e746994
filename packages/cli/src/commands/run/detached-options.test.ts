import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { detachedOptions, needsMonitor } from './detached-options.ts';
import { makeLogFolder } from './make-log-folder.ts';
import { defaultLogPath, parseLog } from './parse-log.ts';
import { parseRestart } from './parse-restart.ts';

const root = { env: {}, uid: 0 };
const user = (env: Record<string, string>) => ({ env, uid: 1000 });

describe('parseRestart', () => {
  it.each([
    ['no', { name: 'no' }],
    ['always', { name: 'always' }],
    ['on-failure', { name: 'on-failure' }],
    ['on-failure:3', { name: 'on-failure', maxRestarts: 3 }],
  ])('reads %s', (text, policy) => {
    expect(parseRestart(text)).toEqual(policy);
  });

  it.each([
    ['', /"" is no restart policy/],
    ['never', /"never" is no restart policy/],
    ['Always', /"Always" is no restart policy/],
    ['always:3', /"always:3" is no restart policy/],
    ['on-failure:', /"" is not a number of restarts/],
    ['on-failure:0', /"0" is not a number/],
    ['on-failure:-1', /"-1" is not a number/],
    ['on-failure:1.5', /"1\.5" is not a number/],
    ['on-failure:1:2', /is no restart policy/],
  ])('refuses %j and names what there is', (text, message) => {
    expect(() => parseRestart(text)).toThrow(message);
    expect(() => parseRestart(text)).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/no, on-failure, .* or always/) }),
    );
  });
});

describe('parseLog', () => {
  const subject = { id: 'box', host: root };

  it('gives cri a path by the id, and file none', () => {
    expect(parseLog('cri', [], subject)).toMatchObject({ path: '/var/log/pilotlight/box.log' });
    expect(() => parseLog('file', [], subject)).toThrow(/use nothing as path/);
    expect(parseLog('none', [], subject)).toEqual({ driver: 'none' });
  });

  it('takes options, with an equals sign in their values', () => {
    expect(parseLog('cri', ['path=/x=y', 'max-size=1k', 'max-file=2'], subject)).toEqual({
      driver: 'cri',
      path: '/x=y',
      maxBytes: 1024,
      maxFiles: 2,
    });
    expect(parseLog('cri', ['max-size=-1'], subject)).toMatchObject({ maxBytes: null });
  });

  it.each([
    ['json', [], /"json": there is none/],
    ['cri', ['path'], /"path" is not of the form KEY=VALUE/],
    ['cri', ['=x'], /"=x" is not of the form/],
    ['cri', ['path='], /"path=" is not of the form/],
    ['cri', ['path=/a', 'path=/b'], /path is given twice/],
    ['cri', ['max-sise=1'], /no such option/],
    ['none', ['path=/a'], /no such option/],
    ['file', ['path=a'], /not the absolute path/],
  ] as [string, string[], RegExp][])('refuses %s with %j', (driver, texts, message) => {
    expect(() => parseLog(driver, texts, subject)).toThrow(message);
  });
});

describe('defaultLogPath', () => {
  it.each([
    [root, '/var/log/pilotlight/x.log'],
    [user({ XDG_STATE_HOME: '/s', HOME: '/h' }), '/s/pilotlight/x.log'],
    [user({ XDG_STATE_HOME: 's', HOME: '/h' }), '/h/.local/state/pilotlight/x.log'],
    [user({}), undefined],
  ])('is for %j %s', (host, path) => {
    expect(defaultLogPath({ id: 'x', host })).toBe(path);
  });
});

describe('makeLogFolder', () => {
  it('makes the directory of the default path, and no other', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'log-folder-'));
    try {
      const subject = { id: 'x', host: user({ XDG_STATE_HOME: join(directory, 'state') }) };
      await makeLogFolder(parseLog('cri', [], subject), subject);
      expect(statSync(join(directory, 'state', 'pilotlight')).mode & 0o777).toBe(0o750);
      await makeLogFolder(parseLog('file', [`path=${directory}/no/log`], subject), subject);
      expect(() => statSync(join(directory, 'no'))).toThrow(/ENOENT/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('names the directory that cannot be made', async () => {
    const subject = { id: 'x', host: user({ XDG_STATE_HOME: '/dev/null' }) };
    await expect(makeLogFolder(parseLog('cri', [], subject), subject)).rejects.toThrow(
      /make the directory of logs \/dev\/null\/pilotlight: ENOTDIR/,
    );
  });
});

describe('detachedOptions', () => {
  it.each([
    [{ restart: 'always' }, '--restart'],
    [{ logDriver: 'none' }, '--log-driver'],
    [{ logOpt: ['path=/x'] }, '--log-opt'],
  ])('refuses %j in the foreground, by name', (flags, name) => {
    expect(() => detachedOptions({ detach: false, ...flags }, root, 'x')).toThrow(
      `run: ${name} is only for a detached program`,
    );
  });

  it('refuses options of a log without its driver', () => {
    expect(() => detachedOptions({ detach: true, logOpt: ['path=/x'] }, root, 'x')).toThrow(
      /--log-opt needs --log-driver/,
    );
  });

  it('is empty for flags that are not there, which need no monitor', () => {
    expect(detachedOptions({ detach: false }, root, 'x')).toEqual({});
    expect(needsMonitor({})).toBe(false);
    expect(needsMonitor({ restart: { name: 'no' } })).toBe(false);
  });

  it('needs a monitor for a log, and for restarts', () => {
    const flags = { detach: true, restart: 'on-failure:2', logDriver: 'none' };
    const options = detachedOptions(flags, root, 'x');
    expect(options).toEqual({
      restart: { name: 'on-failure', maxRestarts: 2 },
      log: { driver: 'none' },
    });
    expect(needsMonitor({ log: options.log! })).toBe(true);
    expect(needsMonitor({ restart: options.restart! })).toBe(true);
  });
});
