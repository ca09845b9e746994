// What of the processes that launch a container is within its reach: nothing.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import {
  launch,
  type OciSpec,
  type PreparedLaunch,
  prepareLaunch,
  sharedZygote,
  startZygote,
} from '@pilotlight/init';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { childrenOf, missing, newId, runIn, shellSpec, textOf } from './init-bundle.ts';

const lacking = missing('root', 'busybox-static');

describe.skipIf(lacking !== '')(`isolation of the zygote${lacking}`, () => {
  const bundle = useCleanBundle();

  async function outputOf(...args: string[]): Promise<string> {
    const spec = shellSpec('', (changed) => {
      changed.process.args = args;
      changed.process.env = ['PATH=/bin', 'HOME=/'];
      delete changed.process.rlimits;
    });
    const process = await launch(
      { id: newId(), spec, bundle: bundle.path },
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [output] = await Promise.all([textOf(process.stdout), process.exited]);
    return output;
  }

  it('no signal is ignored, blocked, caught or pending in a program', async () => {
    const status = await outputOf('cat', '/proc/self/status');
    const sets = [...status.matchAll(/^(Sig\w+|ShdPnd):\s+([0-9a-f]+)$/gm)];
    expect(Object.fromEntries(sets.map(([, name, set]) => [name, set]))).toEqual({
      SigPnd: '0000000000000000',
      ShdPnd: '0000000000000000',
      SigBlk: '0000000000000000',
      SigIgn: '0000000000000000',
      SigCgt: '0000000000000000',
    });
  });

  it('the limits of a program are those of the launching process, but for open files', async () => {
    const lines = (text: string): string[] =>
      text.split('\n').filter((line) => !line.startsWith('Max open files'));
    expect(lines(await outputOf('cat', '/proc/self/limits'))).toEqual(
      lines(readFileSync('/proc/self/limits', 'utf8')),
    );
  });

  it('a program may dump core and be debugged by its own user, as any other', async () => {
    // A process that is not dumpable has /proc files of root; here it is told by what is not hidden.
    const spec = (changed: OciSpec): void => {
      changed.process.user = { uid: 1000, gid: 1000 };
    };
    const { stdout } = await runIn(bundle, 'stat -c %u /proc/self/environ', spec);
    expect(stdout.trim()).toBe('1000');
  });

  it('oom score, niceness, timers, environment and descriptors of a program are its own', async () => {
    expect(await outputOf('cat', '/proc/self/oom_score_adj')).toBe(
      readFileSync('/proc/self/oom_score_adj', 'utf8'),
    );
    expect(await outputOf('cat', '/proc/self/timers')).toBe('');
    expect(await outputOf('cat', '/proc/self/environ')).toBe('PATH=/bin\0HOME=/\0');
    expect((await outputOf('ls', '/proc/self/fd')).trim().split('\n')).toEqual([
      '0',
      '1',
      '2',
      // The directory that is listed.
      '3',
    ]);
    const stat = (text: string): string[] => text.slice(text.lastIndexOf(')') + 2).split(' ');
    const inside = stat(await outputOf('cat', '/proc/self/stat'));
    const outside = stat(readFileSync('/proc/self/stat', 'utf8'));
    // Its own session and process group; no terminal.
    expect(inside.slice(2, 5)).toEqual(['1', '1', '0']);
    // Priority and niceness.
    expect(inside.slice(15, 17)).toEqual(outside.slice(15, 17));
  });

  it('the working directory of a program is inside', async () => {
    expect((await outputOf('readlink', '/proc/self/cwd')).trim()).toBe('/');
  });

  it('nothing of the zygote is open to other users, nor dumped', async () => {
    await sharedZygote();
    const [zygote] = childrenOf(process.pid);
    expect(readFileSync(`/proc/${zygote}/environ`, 'utf8')).toBe('');
    // Only what is not dumpable has no readable memory for its own user without CAP_SYS_PTRACE.
    expect(attemptsOn(zygote!, withoutPtrace)).toEqual(allRefused);
  });

  describe('a child before its program', () => {
    const parentsSecret = `parent-${randomBytes(12).toString('hex')}`;
    const othersSecret = `other-${randomBytes(12).toString('hex')}`;
    const ownSecret = `own-${randomBytes(12).toString('hex')}`;
    let prepared: PreparedLaunch;
    let zygote: Awaited<ReturnType<typeof startZygote>>;
    const before = new Set<number>();

    beforeAll(async () => {
      process.env['PILOTLIGHT_SECRET'] = parentsSecret;
      for (const pid of childrenOf(process.pid)) before.add(pid);
      zygote = await startZygote();
      const secret = (value: string) => (spec: OciSpec) => {
        spec.process.env = ['PATH=/bin', `SECRET=${value}`];
      };
      // The zygote has launched somebody else's container before.
      await runIn(bundle, 'true', secret(othersSecret), { zygote });
      prepared = await prepareLaunch(
        { id: newId(), spec: shellSpec('true', secret(ownSecret)), bundle: bundle.path },
        { zygote, stdio: ['ignore', 'ignore', 'ignore'] },
      );
      bundle.keepWhatIsThere();
    });
    afterAll(async () => {
      delete process.env['PILOTLIGHT_SECRET'];
      await prepared.abort();
      await zygote.close();
    });

    it('root with CAP_SYS_PTRACE can look at it, so that the refusals below mean something', () => {
      expect(attemptsOn(prepared.pid, [])).toEqual(allGranted);
    });

    it('a container with the usual capabilities cannot read its memory, files, binary or root', () => {
      expect(attemptsOn(prepared.pid, withoutPtrace)).toEqual(allRefused);
    });

    it.skipIf(!canUnshareUser())(
      'a container with all capabilities in a user namespace cannot either (needs user namespaces)',
      () => {
        expect(attemptsOn(prepared.pid, ['unshare', '--user', '--map-root-user'])).toEqual(
          allRefused,
        );
      },
    );

    it('its memory holds its own configuration, and no secret of the parent or of another container', () => {
      const found = secretsIn(prepared.pid, [ownSecret, parentsSecret, othersSecret]);
      expect(found).toEqual([ownSecret]);
    });

    it('the memory of the zygote holds no secret at all', () => {
      const pid = childrenOf(process.pid).find((child) => !before.has(child))!;
      expect(secretsIn(pid, [ownSecret, parentsSecret, othersSecret])).toEqual([]);
    });
  });
});

/** Root as in a container: with what is usual there, CAP_SYS_ADMIN and CAP_SYS_PTRACE not among it. */
const withoutPtrace = [
  'setpriv',
  '--bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap',
  '--inh-caps=-all',
];
const looks = {
  memory: 'head -c 0 /proc/$PID/mem',
  files: 'readlink /proc/$PID/fd/1',
  fileInfo: 'cat /proc/$PID/fdinfo/0',
  binary: 'readlink /proc/$PID/exe',
  root: 'ls /proc/$PID/root',
  cwd: 'readlink /proc/$PID/cwd',
  environment: 'cat /proc/$PID/environ',
  mappings: 'cat /proc/$PID/maps',
  mappedFiles: 'ls /proc/$PID/map_files',
};
const outcomes = (value: boolean): Record<string, boolean> =>
  Object.fromEntries(Object.keys(looks).map((name) => [name, value]));
const allGranted = outcomes(true);
const allRefused = outcomes(false);

/** Which looks at a process succeed for somebody. */
function attemptsOn(pid: number, as: string[]): Record<string, boolean> {
  const script = Object.entries(looks)
    .map(
      ([name, look]) =>
        `if ${look} >/dev/null 2>&1; then echo ${name} true; else echo ${name} false; fi`,
    )
    .join('\n');
  const output = execFileSync('env', [...as, 'sh', '-c', script], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], PID: String(pid) },
  });
  return Object.fromEntries(
    output
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([name, answer]) => [name, answer === 'true']),
  );
}

function canUnshareUser(): boolean {
  try {
    execFileSync('unshare', ['--user', '--map-root-user', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Reads all memory of a process that can be read, as root may. */
function secretsIn(pid: number, secrets: string[]): string[] {
  const found = new Set<string>();
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      // What cannot be written to is as it is in a file.
      const match = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
      if (match === null) continue;
      const [start, end] = [BigInt(`0x${match[1]}`), BigInt(`0x${match[2]}`)];
      const size = Number(end - start);
      // The range reserved for compiled code, which is mostly not there.
      if (size > 64 * 1024 * 1024) continue;
      const bytes = Buffer.alloc(size);
      try {
        readSync(memory, bytes, 0, size, start);
      } catch {
        // A reservation with nothing in it.
        continue;
      }
      for (const secret of secrets) {
        if (bytes.includes(secret) || bytes.includes(Buffer.from(secret, 'utf16le')))
          found.add(secret);
      }
    }
  } finally {
    closeSync(memory);
  }
  return secrets.filter((secret) => found.has(secret));
}
