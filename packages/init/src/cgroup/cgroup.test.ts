import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LaunchError } from '../errors.ts';
import { createCgroup, createCgroupIfAllowed, enterCgroup, removeCgroup } from './cgroup.ts';
import type { CgroupPlan } from './plan-cgroup.ts';

/** sysfs lets nobody make a directory, root neither. */
const forbidden = (optional: boolean): CgroupPlan => ({
  directories: [
    {
      version: 2,
      controllers: '',
      path: '/sys/kernel/demo',
      mountpoint: '/sys',
      enable: [],
      writes: [],
    },
  ],
  deviceRules: undefined,
  optional,
  scope: undefined,
});

describe('createCgroupIfAllowed', () => {
  it('createCgroupIfAllowed goes on without a cgroup that is optional', async () => {
    expect(await createCgroupIfAllowed(forbidden(true))).toBeUndefined();
  });

  it('createCgroupIfAllowed fails for the root of the host', async () => {
    await expect(createCgroupIfAllowed(forbidden(true), false)).rejects.toThrow(/mkdir/);
  });

  it('createCgroupIfAllowed fails where the configuration needs the cgroup', async () => {
    const failure: unknown = await createCgroupIfAllowed(forbidden(false)).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(LaunchError);
    expect(failure).toMatchObject({
      step: 'cgroup',
      hint: expect.stringMatching(/Launch as root/),
    });
    await expect(createCgroup(forbidden(true))).rejects.toBeInstanceOf(LaunchError);
  });
});

describe('enterCgroup', () => {
  it('enterCgroup fails only when no write of the pid is under way any more', async () => {
    const root = mkdtempSync(join(tmpdir(), 'enter-'));
    const slow = join(root, 'slow');
    mkdirSync(slow);
    // Writing to it waits for a reader.
    execFileSync('mkfifo', [join(slow, 'cgroup.procs')]);
    const [directory] = forbidden(false).directories;
    const directories = [join(root, 'gone'), slow].map((path) => ({ ...directory!, path }));
    const done: string[] = [];
    const entering = enterCgroup({ ...forbidden(false), directories }, 4711).catch((error) => {
      done.push('failed');
      return error as unknown;
    });
    // Long enough for the failure to be there.
    await sleep(50);
    expect(done).toEqual([]);
    expect(await readFile(join(slow, 'cgroup.procs'), 'utf8')).toBe('4711');
    expect(await entering).toMatchObject({ step: 'cgroup', errnoCode: 'ENOENT' });
    rmSync(root, { recursive: true });
  });
});

describe('removeCgroup', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'remove-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('removeCgroup takes what is gone for removed, and tells what cannot be', async () => {
    mkdirSync(join(root, 'busy/file'), { recursive: true });
    mkdirSync(join(root, 'empty'));
    // Outside of the cgroup file system a directory that is not empty is no EBUSY.
    const paths = ['busy', 'empty', 'gone'].map((name) => join(root, name));
    expect(await removeCgroup(paths)).toEqual([join(root, 'busy')]);
  });
});
