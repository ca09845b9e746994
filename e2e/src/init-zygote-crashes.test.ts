// What ends at the wrong moment: a child by a crash of its fork, a zygote, or the process they work for.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { InitPackageError, launch, sharedZygote, startZygote, type Zygote } from '@pilotlight/init';
import {
  pidfdOpen,
  pidfdSendSignal,
  probePidfd,
  socketpair,
  waitPidfd,
} from '@pilotlight/scm-rights';
import { listOpenFds } from '@pilotlight/scm-rights/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { childrenOf, missing, newId, shellSpec } from './init-bundle.ts';

const lacking = missing('root', 'busybox-static');
const support = await probePidfd();
const library = fileURLToPath(import.meta.resolve('@pilotlight/init'));

/**
 * Ends the first `count` children before their parent can say anything to them, and says it was
 * `signal`: a child blocks all that can be sent to it, so that only a fault of its own raises one.
 */
function crashing(
  zygote: Zygote,
  count: number,
  signal: NodeJS.Signals,
): Zygote & { forks: number } {
  return {
    forks: 0,
    async fork(request) {
      const child = await zygote.fork(request);
      if (this.forks++ < count) {
        pidfdSendSignal(child.pidfd, 'SIGKILL');
        const status = await child.ended;
        return {
          ...child,
          ended: Promise.resolve({ ...status, signal: constants.signals[signal] }),
        };
      }
      return child;
    },
    close: () => zygote.close(),
  };
}

describe.skipIf(lacking !== '')(`what ends at the wrong moment${lacking}`, () => {
  const bundle = useCleanBundle();
  const exitWith = (code: number, forker: Zygote): Promise<number | null> =>
    launch(
      { id: newId(), spec: shellSpec(`exit ${code}`), bundle: bundle.path },
      { zygote: forker, stdio: ['ignore', 'ignore', 'inherit'] },
    ).then(async (process) => (await process.exited).code);

  it.each(['SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGTRAP'] as const)(
    'launch forks once more when a child ends by %s before it did anything',
    async (signal) => {
      const forker = crashing(await sharedZygote(), 1, signal);
      expect(await exitWith(21, forker)).toBe(21);
      expect(forker.forks).toBe(2);
    },
  );

  it('launch does so for the first child of a zygote as well', async () => {
    const fresh = await startZygote();
    try {
      expect(await exitWith(22, crashing(fresh, 1, 'SIGSEGV'))).toBe(22);
    } finally {
      await fresh.close();
    }
  });

  it('a zygote that does not answer holds no launch beyond its time, and leaves nothing of it', async () => {
    const before = new Set(childrenOf(process.pid));
    const stopped = await startZygote();
    const pid = childrenOf(process.pid).find((child) => !before.has(child))!;
    try {
      process.kill(pid, 'SIGSTOP');
      const options = {
        zygote: stopped,
        stdio: ['ignore', 'ignore', 'inherit'],
        launchTimeoutMs: 100,
      } as const;
      const config = { id: newId(), spec: shellSpec('exit 1'), bundle: bundle.path };
      await expect(launch(config, options)).rejects.toMatchObject({ step: 'fork' });
      process.kill(pid, 'SIGCONT');
      // Requests are served in their order: what became of the first one is known by then.
      expect(await exitWith(23, stopped)).toBe(23);
      await expect.poll(() => childrenOf(pid)).toEqual([]);
    } finally {
      await stopped.close();
    }
  });

  it('launch does not fork a third time', async () => {
    const forker = crashing(await sharedZygote(), 2, 'SIGSEGV');
    await expect(exitWith(21, forker)).rejects.toSatisfy(
      (error) => error instanceof InitPackageError,
    );
    expect(forker.forks).toBe(2);
  });

  it('launch does not take a killed child for a crashed one', async () => {
    const forker = crashing(await sharedZygote(), 1, 'SIGKILL');
    await expect(exitWith(21, forker)).rejects.toSatisfy(
      (error) => error instanceof InitPackageError,
    );
    expect(forker.forks).toBe(1);
  });

  it.skipIf(!support.exitInfo)(
    'launches end rightly or with a typed error while zygotes are killed at random (needs Linux 6.15)',
    async () => {
      const fds = [...listOpenFds()].length;
      // Every child has a copy of it, from its fork to its end, and no zygote has.
      const [watched, held] = socketpair('stream');
      const gone = once(new Socket({ fd: watched.release() }).resume(), 'close');
      const outcomes: string[] = [];
      // A launch that meets two killed zygotes in a row fails; most meet none.
      let left = 200;
      const worker = async (): Promise<void> => {
        while (left > 0) {
          const code = left-- % 200;
          try {
            const process = await launch(
              { id: newId(), spec: shellSpec(`exit ${code}`), bundle: bundle.path },
              { stdio: ['ignore', held, 'inherit'] },
            );
            const status = await process.exited;
            outcomes.push(status.code === code ? 'right' : `${code} became ${status.code}`);
          } catch (error) {
            outcomes.push(error instanceof InitPackageError ? 'typed' : String(error));
          }
        }
      };
      const stop = new AbortController();
      const killer = (async () => {
        while (!stop.signal.aborted) {
          await sleep(100 + Math.random() * 900);
          // Whichever is shared at the moment, ready or not.
          for (const pid of childrenOf(process.pid)) kill(pid);
        }
      })();
      await Promise.all([worker(), worker(), worker(), worker()]);
      stop.abort();
      await killer;
      const counts = Object.groupBy(outcomes, (outcome) => outcome);
      expect(Object.keys(counts).toSorted()).toEqual(
        ['right', 'typed'].filter((outcome) => counts[outcome as 'right'] !== undefined),
      );
      expect(counts['right']!.length).toBeGreaterThan(100);
      held.close();
      await gone;
      // One shared zygote is there again, as before; the last kill may still be unnoticed.
      const config = { id: newId(), spec: shellSpec('exit 3'), bundle: bundle.path };
      const last = await launch(config, { stdio: ['ignore', 'ignore', 'inherit'] });
      expect((await last.exited).code).toBe(3);
      await expect.poll(() => [...listOpenFds()].length).toBe(fds);
      bundle.keepWhatIsThere();
    },
  );

  const hasFuse = existsSync('/dev/fuse');
  describe.skipIf(!hasFuse)(`a child that is stuck${hasFuse ? '' : ' (needs FUSE)'}`, () => {
    let directory: string;
    beforeAll(() => {
      directory = mkdtempSync(join(tmpdir(), 'pilotlight-stuck-'));
    });
    afterAll(() => rmSync(directory, { recursive: true, force: true }));
    let silent: number | undefined;
    afterEach(() => {
      if (silent === undefined) return;
      closeSync(silent);
      silent = undefined;
      execFileSync('umount', ['--lazy', join(directory, 'rootfs/silent')]);
    });

    /** A process with one launch that cannot end, stuck after the gate. */
    async function stuckLaunch(watchdogMs: number): Promise<{
      parent: ReturnType<typeof spawn>;
      child: number;
      ended: Promise<unknown>;
    }> {
      const rootfs = join(directory, 'rootfs');
      rmSync(rootfs, { recursive: true, force: true });
      execFileSync('cp', ['-a', bundle.rootfs, rootfs]);
      // An image whose list of users lies on a file system that never answers.
      rmSync(join(rootfs, 'etc/passwd'));
      symlinkSync('/silent/passwd', join(rootfs, 'etc/passwd'));
      mkdirSync(join(rootfs, 'silent'));
      silent = openSync('/dev/fuse', 'r+');
      execFileSync(
        'mount',
        [
          '-i',
          '-t',
          'fuse',
          '-o',
          'fd=3,rootmode=40000,user_id=0,group_id=0',
          'silent',
          join(rootfs, 'silent'),
        ],
        { stdio: ['ignore', 'inherit', 'inherit', silent] },
      );
      const spec = shellSpec('exit 0', (changed) => {
        changed.process.env = ['PATH=/bin'];
      });
      const program = join(directory, 'stuck.mjs');
      writeFileSync(
        program,
        `import { prepareLaunch, startZygote } from ${JSON.stringify(library)};
         const zygote = await startZygote({ watchdogMs: ${watchdogMs} });
         const config = ${JSON.stringify({ id: newId(), spec, bundle: directory })};
         const prepared = await prepareLaunch(config, { zygote, stdio: ['ignore', 'ignore', 'ignore'] });
         console.log(prepared.pid, prepared.cgroupPaths.join(':'));
         process.stdin.once('data', () => prepared.run().catch(() => undefined));`,
      );
      const parent = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
      const ended = once(parent, 'exit');
      const [line] = (await once(parent.stdout, 'data')) as [Buffer];
      const [pid = '', paths = ''] = line.toString().trim().split(' ');
      cgroups.push(...paths.split(':').filter(Boolean));
      return { parent, child: Number(pid), ended };
    }
    const cgroups: string[] = [];
    const removeCgroups = async (): Promise<void> => {
      const { removeCgroup } = await import('@pilotlight/init');
      await removeCgroup(cgroups.splice(0));
    };
    /** In openat2(2). */
    const opensList = (pid: number): boolean =>
      readFileSync(`/proc/${pid}/syscall`, 'latin1').startsWith('437 ');

    it('a zygote kills it while its parent is stopped', async () => {
      const { parent, child, ended } = await stuckLaunch(300);
      using pidfd = pidfdOpen(child);
      // For longer than the watchdog's limit it waits at the gate, where nobody may kill it.
      await sleep(700);
      parent.stdin!.write('go\n');
      await expect.poll(() => opensList(child)).toBe(true);
      parent.kill('SIGSTOP');
      await waitPidfd(pidfd);
      parent.kill('SIGCONT');
      parent.kill('SIGKILL');
      await ended;
      await removeCgroups();
    });

    it('a zygote kills it when its parent is gone, and ends', async () => {
      const { parent, child, ended } = await stuckLaunch(600_000);
      using pidfd = pidfdOpen(child);
      const [zygotePid] = childrenOf(parent.pid!);
      using zygotePidfd = pidfdOpen(zygotePid!);
      parent.stdin!.write('go\n');
      await expect.poll(() => opensList(child)).toBe(true);
      parent.kill('SIGKILL');
      await ended;
      await waitPidfd(pidfd);
      await waitPidfd(zygotePidfd);
      await removeCgroups();
    });

    it('a child at the gate ends by itself when its parent is gone', async () => {
      const { parent, child, ended } = await stuckLaunch(600_000);
      using pidfd = pidfdOpen(child);
      parent.kill('SIGKILL');
      await ended;
      expect(await waitPidfd(pidfd)).toMatch(/exited|reaped/);
      await removeCgroups();
    });
  });
});

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}
