import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LaunchError } from '../errors.ts';
import { createCgroup, createCgroupIfAllowed, removeCgroup } from './cgroup.ts';
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
