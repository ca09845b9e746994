import { strictEqual } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fcntlGetfd } from '../libc/fcntl.ts';
import { openFd } from '../open-fd.ts';
import { countOpenFds } from '../testing/open-fds.ts';
import { flockExclusive, flockShared, tryLock } from './flock.ts';

let dir: string;
let path: string;
let before: number;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flock-'));
  path = join(dir, 'lock');
  before = countOpenFds();
});

afterEach(() => {
  strictEqual(countOpenFds(), before);
  rmSync(dir, { recursive: true });
});

describe('flockExclusive', () => {
  it('flockExclusive makes the file, close-on-exec, for its owner only', async () => {
    using lock = await flockExclusive(path);
    expect(fcntlGetfd(lock.fd)).toBe(1);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('flockExclusive waits until the holder lets go', async () => {
    const first = await flockExclusive(path);
    let got = false;
    const second = flockExclusive(path).then((lock) => {
      got = true;
      return lock;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(got).toBe(false);
    first.close();
    (await second).close();
  });

  it('flockExclusive gives up at its deadline', async () => {
    using _held = await flockExclusive(path);
    await expect(flockExclusive(path, { deadlineMs: 20 })).rejects.toMatchObject({
      code: 'ERR_SCM_LOCK_TIMEOUT',
      message: expect.stringContaining(path),
    });
    await expect(flockShared(path, { deadlineMs: 0 })).rejects.toMatchObject({
      code: 'ERR_SCM_LOCK_TIMEOUT',
    });
    await expect(flockShared(path, { deadlineMs: Number.NaN })).rejects.toMatchObject({
      code: 'ERR_SCM_INVALID_ARGUMENT',
    });
  });

  it('flockExclusive rejects with the reason of its signal', async () => {
    using _held = await flockExclusive(path);
    const abort = new AbortController();
    const waiting = flockExclusive(path, { signal: abort.signal });
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  it('flockExclusive excludes another process', async () => {
    using _held = await flockExclusive(path);
    const busy = promisify(execFile)('flock', [
      '--nonblock',
      '--conflict-exit-code',
      '9',
      path,
      'true',
    ]);
    await expect(busy).rejects.toMatchObject({ code: 9 });
  });

  it('flockExclusive locks the file that is at the path when it gets it', async () => {
    const first = await flockExclusive(path);
    const second = flockExclusive(path);
    const other = join(dir, 'other');
    writeFileSync(other, '');
    renameSync(other, path);
    using lock = await second;
    // The new file was free all along.
    expect(tryLock(path, 'exclusive')).toBeUndefined();
    first.close();
    expect(lock.closed).toBe(false);
  });

  it('flockExclusive on a descriptor holds the lock until both are closed', async () => {
    const file = openFd(path, 0o102);
    const lock = await flockExclusive(file);
    file.close();
    expect(tryLock(path, 'exclusive')).toBeUndefined();
    lock.close();
    tryLock(path, 'exclusive')!.close();
  });

  it('flockExclusive reports a path it cannot open', async () => {
    await expect(flockExclusive(join(dir, 'no', 'lock'))).rejects.toMatchObject({
      code: 'ENOENT',
      syscall: 'open',
    });
    await expect(flockExclusive('a\0b')).rejects.toMatchObject({ code: 'ERR_SCM_INVALID_STRING' });
  });
});

describe('flockShared', () => {
  it('flockShared lets several hold it and keeps the exclusive one out', async () => {
    using _one = await flockShared(path);
    using _two = await flockShared(path);
    expect(tryLock(path, 'exclusive')).toBeUndefined();
  });
});
