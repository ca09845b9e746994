import { openSync, closeSync } from 'node:fs';
import { syscallError } from '@pilotlight/scm-rights';
import { fcntlDupfd, sendmsg } from '@pilotlight/scm-rights/libc';
import { withoutFdLeak } from '@pilotlight/scm-rights/testing';
import { describe, expect, it } from 'vitest';
import type { ChildFds } from '../child/child-fds.ts';
import { CLONE_NEWNS, CLONE_NEWPID } from '../plan/namespaces.ts';
import { createRecordingSyscall, type RecordingSyscall } from '../syscall/recording.ts';
import { spawnChild } from './spawn-child.ts';
import type { ProcessSpawner } from './spawn-process.ts';
import type { SpawnedChild, SpawnedReport } from './spawned-child.ts';

const PID = 4711;
const child: ChildFds = {
  stdin: 0,
  stdout: 1,
  stderr: 2,
  init: 0,
  sync: 1,
  preserved: [2],
  joins: [0],
};

type Deed = { spawned: readonly string[][]; discarded: number[] };

/** A second Node that says `said` through its last descriptor, or ends without a word. */
function spawnerOf(said: SpawnedReport | undefined, deed: Deed): ProcessSpawner {
  return {
    spawn(_, args, fds) {
      (deed.spawned as string[][]).push([...args]);
      if (said !== undefined) sendmsg(fds.at(-1)!, Buffer.from(JSON.stringify(said)));
      return PID;
    },
    discard: (pid) => void deed.discarded.push(pid),
  };
}

/** Copies are real, so that what is closed can be counted; all else is only recorded. */
function recording(failAt?: number): RecordingSyscall {
  const sys = createRecordingSyscall(failAt === undefined ? {} : { failAt });
  return {
    ...sys,
    dupAbove(fd, least) {
      sys.dupAbove(fd, least);
      return fcntlDupfd(fd, 700);
    },
  };
}

function spawnWith(
  sys: RecordingSyscall,
  said: SpawnedReport | undefined,
  deed: Deed,
): { pid: number; pidfd: number } {
  const cgroupFd = openSync('/tmp', 'r');
  try {
    const cloneFlags = CLONE_NEWPID | CLONE_NEWNS;
    return spawnChild(sys, spawnerOf(said, deed), { cloneFlags, cgroupFd, child }, [
      'node',
      'zygote',
    ]).take();
  } finally {
    closeSync(cgroupFd);
  }
}

const nothingDone = (): Deed => ({ spawned: [], discarded: [] });

describe('spawnChild', () => {
  it('spawnChild hands over its streams and the descriptors of the child, in order', async () => {
    await withoutFdLeak(() => {
      const deed = nothingDone();
      const sys = recording();
      expect(spawnWith(sys, { started: true }, deed).pid).toBe(PID);
      const [[node, zygote, settings] = []] = deed.spawned;
      expect([node, zygote]).toEqual(['node', 'zygote']);
      const spawned = (JSON.parse(settings!) as { child: SpawnedChild }).child;
      expect(spawned).toEqual({
        unshareFlags: CLONE_NEWNS,
        fds: { stdin: 3, stdout: 4, stderr: 5, init: 6, sync: 7, preserved: [8], joins: [9] },
        report: 10,
      });
      const names = sys.calls.map(({ name }) => name).filter((name) => name !== 'dupAbove');
      expect(names).toEqual([
        'setns',
        'unshare',
        'setns',
        'openat2',
        'writeAll',
        'close',
        'pidfdOpen',
      ]);
      expect(deed.discarded).toEqual([]);
    });
  });

  it('spawnChild stays in its pid namespace where no new one is wanted', () => {
    const sys = recording();
    const spawner = spawnerOf({ started: true }, nothingDone());
    spawnChild(sys, spawner, { cloneFlags: CLONE_NEWNS, cgroupFd: undefined, child }, []).take();
    expect(sys.calls.map(({ name }) => name)).not.toContain('unshare');
  });

  const all = recording();
  spawnWith(all, { started: true }, nothingDone());
  const calls = all.calls.map(({ name }) => name);
  const wayBack = calls.lastIndexOf('setns');

  it.each(calls.map((name, failAt) => [failAt, name] as const))(
    'spawnChild leaves nothing when call %i, %s, fails',
    async (failAt, name) => {
      await withoutFdLeak(() => {
        const deed = nothingDone();
        const attempt = (): unknown => spawnWith(recording(failAt), { started: true }, deed);
        // Without a way back the process is of no use any more: it ends, and so must the child.
        const message = failAt === wayBack ? 'cannot be entered again' : `${name}.*EPERM`;
        expect(attempt).toThrow(new RegExp(message));
        expect(deed.discarded.length).toBe(deed.spawned.length);
      });
    },
  );

  it('spawnChild comes back when nothing could be spawned', async () => {
    await withoutFdLeak(() => {
      const sys = recording();
      const spawner: ProcessSpawner = {
        spawn(path) {
          throw syscallError(12, 'posix_spawn', path);
        },
        discard: () => expect.unreachable(),
      };
      const request = { cloneFlags: CLONE_NEWPID, cgroupFd: undefined, child };
      expect(() => spawnChild(sys, spawner, request, [])).toThrow(
        /start the second Node: posix_spawn .*ENOMEM/,
      );
      expect(sys.calls.map(({ name }) => name).slice(-3)).toEqual(['setns', 'unshare', 'setns']);
    });
  });

  it.each([
    ['ended', undefined, /ended before it could say anything/],
    [
      'could make no namespaces',
      { failure: { step: 'namespaces', message: 'make namespaces: unshare: EPERM', errno: -1 } },
      /unshare: EPERM/,
    ],
  ] as const)('spawnChild reports and reaps a second Node that %s', async (_, said, message) => {
    await withoutFdLeak(() => {
      const deed = nothingDone();
      expect(() => spawnWith(recording(), said, deed)).toThrow(message);
      expect(deed.discarded).toEqual([PID]);
    });
  });
});
