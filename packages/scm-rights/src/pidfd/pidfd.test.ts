import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { waitid } from '../libc/waitid.ts';
import { WNOHANG, WNOWAIT } from '../libc/constants.ts';
import { loadLibc } from '../libc/library.ts';
import { openFd } from '../open-fd.ts';
import { countOpenFds } from '../testing/open-fds.ts';
import { pidfdInfo } from './pidfd-info.ts';
import { isPidfs, pidfdInode } from './pidfd-inode.ts';
import { pidfdOpen } from './pidfd-open.ts';
import { pidfdSendSignal } from './pidfd-send-signal.ts';
import { probePidfd } from './probe-pidfd.ts';
import { signalName, signalNumber } from './signal.ts';
import { pidfdState, waitPidfd } from './wait-pidfd.ts';
import { decodeWaitStatus } from './wait-status.ts';

const support = await probePidfd();

function shell(script: string): ChildProcess {
  return spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'] });
}

describe('decodeWaitStatus', () => {
  it.each([
    [0, null, 0, false, 'exit 0'],
    [42, null, 42 << 8, false, 'exit 42'],
    [null, 15, 15, false, 'SIGTERM'],
    [null, 11, 0x8b, true, 'SIGSEGV with core'],
  ])(
    'decodeWaitStatus gives code %s and signal %s for %i, core %s (%s)',
    (code, signal, raw, core, _name) => {
      expect(decodeWaitStatus(raw)).toEqual({ code, signal, core, raw });
    },
  );

  it('decodeWaitStatus always names exactly one of code and signal', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff }), (raw) => {
        const { code, signal } = decodeWaitStatus(raw);
        expect((code === null) !== (signal === null)).toBe(true);
      }),
    );
  });
});

describe('signalNumber', () => {
  it.each([
    ['SIGTERM', 15],
    ['term', 15],
    [' 9 ', 9],
    [64, 64],
    ['SIGRTMIN', 34],
    ['RTMIN+3', 37],
    ['SIGRTMAX-1', 63],
    ['SIGPOLL', 29],
  ])('signalNumber of %j is %i', (signal, number) => {
    expect(signalNumber(signal)).toBe(number);
  });

  it.each(['SIGNOPE', '', '0', '65', 0, 1.5, 'RTMIN+99', 'RTMAX+1'])(
    'signalNumber refuses %j',
    (signal) => {
      expect(() => signalNumber(signal)).toThrow(/a name or a number from 1 to 64/);
    },
  );

  it('signalName names every number that signalNumber takes back', () => {
    const numbers = Array.from({ length: 64 }, (_, index) => index + 1);
    const named = numbers.filter((number) => signalName(number) !== undefined);
    expect(named.map((number) => signalNumber(signalName(number)!))).toEqual(named);
    // 32 and 33 belong to the C library.
    expect(numbers.filter((number) => !named.includes(number))).toEqual([32, 33]);
    expect([signalName(6), signalName(29), signalName(36), signalName(65)]).toEqual([
      'SIGABRT',
      'SIGIO',
      'SIGRTMIN+2',
      undefined,
    ]);
  });
});

describe('pidfdOpen', () => {
  it('pidfdOpen refuses a pid that is none, and one that is not there', () => {
    expect(() => pidfdOpen(0)).toThrow(/a positive integer/);
    expect(() => pidfdOpen(2 ** 22 + 1)).toThrow(/pidfd_open pid 4194305: ESRCH/);
  });

  it('pidfdSendSignal ends the process, and fails with ESRCH once it is reaped', async () => {
    const child = shell('read line');
    using pidfd = pidfdOpen(child.pid!);
    expect(pidfdState(pidfd)).toBe('running');
    pidfdSendSignal(pidfd, 0);
    pidfdSendSignal(pidfd, 'TERM');
    expect(await once(child, 'exit')).toEqual([null, 'SIGTERM']);
    expect(() => pidfdSendSignal(pidfd, 0)).toThrow(/pidfd_send_signal fd \d+: ESRCH/);
  });

  it('pidfdOpen closes what it opened', async () => {
    const before = countOpenFds();
    pidfdOpen(process.pid).close();
    expect(countOpenFds()).toBe(before);
  });
});

describe.skipIf(!support.exitInfo)('pidfdInfo (needs Linux 6.15)', () => {
  it('pidfdInfo tells pid and parent of a living process, and no exit', async () => {
    const child = shell('read line');
    using pidfd = pidfdOpen(child.pid!);
    expect(pidfdInfo(pidfd)).toEqual({ pid: child.pid, tgid: child.pid, ppid: process.pid });
    child.stdin?.end();
    await once(child, 'exit');
  });

  it.each([
    ['exit 7', { code: 7, signal: null, raw: 0x700 }],
    ['kill -KILL $$', { code: null, signal: 9, raw: 9 }],
  ])('pidfdInfo tells how %j ended, after somebody else reaped it', async (script, status) => {
    const child = shell(script);
    using pidfd = pidfdOpen(child.pid!);
    const ended = once(child, 'exit');
    expect(await waitPidfd(pidfd, { until: 'reaped' })).toBe('reaped');
    expect(pidfdInfo(pidfd)).toEqual({ exit: expect.objectContaining(status) });
    expect(pidfdState(pidfd)).toBe('reaped');
    await ended;
  });

  it('pidfdInode is the same for each pidfd of a process and differs between processes', () => {
    using one = pidfdOpen(process.pid);
    using two = pidfdOpen(process.pid);
    using other = pidfdOpen(process.ppid);
    expect(pidfdInode(one)).toBeTypeOf('bigint');
    expect(pidfdInode(one)).toBe(pidfdInode(two));
    expect(pidfdInode(one)).not.toBe(pidfdInode(other));
    using file = openFd('/dev/null', 0);
    expect([isPidfs(file), pidfdInode(file)]).toEqual([false, undefined]);
  });
});

describe('waitPidfd', () => {
  it('waitPidfd can be aborted', async () => {
    using self = pidfdOpen(process.pid);
    await expect(waitPidfd(self, { signal: AbortSignal.timeout(5) })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
  });

  it('waitPidfd and waitid see a child of our own as zombie, then reaped', async () => {
    const pid = spawnUnwaited('exit 3');
    using pidfd = pidfdOpen(pid);
    expect(await waitPidfd(pidfd)).toBe('exited');
    expect(pidfdState(pidfd)).toBe('exited');
    const reaped = waitPidfd(pidfd, { until: 'reaped' });
    // Peeking leaves it a zombie.
    expect(waitid(pidfd.fd, WNOHANG | WNOWAIT)).toEqual({ pid, status: 0x300 });
    expect(waitid(pidfd.fd, WNOHANG)).toEqual({ pid, status: 0x300 });
    expect(await reaped).toBe('reaped');
    expect(() => waitid(pidfd.fd, WNOHANG)).toThrow(/waitid fd \d+: ECHILD/);
  });

  it('waitid returns undefined while the child runs, and the signal that ended it', async () => {
    const pid = spawnUnwaited('sleep 60');
    using pidfd = pidfdOpen(pid);
    expect(waitid(pidfd.fd, WNOHANG)).toBeUndefined();
    pidfdSendSignal(pidfd, 'SIGKILL');
    await waitPidfd(pidfd);
    expect(waitid(pidfd.fd)).toEqual({ pid, status: 9 });
  });
});

describe('probePidfd', () => {
  it('probePidfd leaves neither descriptors nor files', async () => {
    // A place of its own: others probe as well.
    const place = mkdtempSync(join(tmpdir(), 'probe-'));
    vi.stubEnv('TMPDIR', place);
    onTestFinished(() => {
      vi.unstubAllEnvs();
      rmSync(place, { recursive: true });
    });
    const count = countOpenFds();
    const again = await probePidfd();
    expect(again).toEqual(support);
    expect(again.pidfd).toBe(true);
    expect(countOpenFds()).toBe(count);
    expect(readdirSync(place)).toEqual([]);
  });
});

/** A child that libuv does not know, so that only we wait for it. */
function spawnUnwaited(script: string): number {
  const libc = loadLibc();
  const argv = ['/bin/sh', '-c', script].map((word) => Buffer.from(`${word}\0`));
  const pointers = new BigUint64Array([...argv.map((word) => libc.address(word)), 0n]);
  const environment = new BigUint64Array([0n]);
  const pid = new Int32Array(1);
  const spawnCall = libc.func('posix_spawn', 'int', [
    'void *',
    'str',
    'void *',
    'void *',
    'void *',
    'void *',
  ]);
  expect(spawnCall(pid, '/bin/sh', null, null, pointers, environment)).toBe(0);
  return pid[0]!;
}
