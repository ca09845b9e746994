// Launches that fail: each says step, operand, errno and hint, and leaves nothing behind.
import { strictEqual } from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ChildDiedError,
  InvalidConfigError,
  isLaunchError,
  launch,
  type LaunchError,
  prepareLaunch,
  startZygote,
  UnsupportedConfigError,
  ZygoteError,
} from '@pilotlight/init';
import { socketpair } from '@pilotlight/scm-rights';
import { parseTranscript } from '@pilotlight/sync/transcript';
import { describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { type Change, missing, newId, runIn, shellSpec } from './init-bundle.ts';

const lacking = missing('root', 'busybox-static');

describe.skipIf(lacking !== '')(`launch that fails${lacking}`, () => {
  const bundle = useCleanBundle();

  async function failureOf(action: () => Promise<unknown>): Promise<unknown> {
    try {
      await action();
    } catch (error) {
      return error;
    }
    throw new Error('it did not fail');
  }

  const launchWith = (change: Change): Promise<unknown> =>
    launch({ id: newId(), spec: shellSpec('exit 99', change), bundle: bundle.path });

  async function launchErrorOf(change: Change): Promise<LaunchError> {
    const error = await failureOf(() => launchWith(change));
    if (!isLaunchError(error)) throw error;
    return error;
  }

  it('launch names the bind source that does not exist', async () => {
    const error = await launchErrorOf((spec) => {
      spec.mounts!.push({ destination: '/data', source: '/does/not/exist', options: ['bind'] });
    });
    expect(error).toMatchObject({
      code: 'ERR_INIT_LAUNCH',
      step: 'mounts',
      index: 7,
      path: '/does/not/exist',
      errno: -2,
      errnoCode: 'ENOENT',
      syscall: 'open_tree',
      hint: expect.stringContaining('Create /does/not/exist'),
    });
    expect(error.message).toBe(
      'bind /does/not/exist at /data (mounts[7]): open_tree /does/not/exist: ENOENT (no such file or directory)',
    );
  });

  it.each<[name: string, change: Change, expected: Record<string, unknown>]>([
    [
      'a file system that the kernel does not know',
      (spec) => void spec.mounts!.push({ destination: '/data', type: 'nosuchfs' }),
      { step: 'mounts', index: 7, errnoCode: 'ENODEV', syscall: 'fsopen', path: 'nosuchfs' },
    ],
    [
      'an option that the file system does not know',
      (spec) =>
        void spec.mounts!.push({ destination: '/data', type: 'tmpfs', options: ['nosuch=1'] }),
      { step: 'mounts', index: 7, errnoCode: 'EINVAL', syscall: 'fsconfig' },
    ],
    [
      'a directory on a file',
      (spec) => void spec.mounts!.push({ destination: '/etc/passwd', type: 'tmpfs' }),
      {
        step: 'mounts',
        index: 7,
        errnoCode: 'EINVAL',
        hint: expect.stringContaining('both be directories'),
      },
    ],
    [
      'a root that does not exist',
      (spec) => void (spec.root.path = 'nowhere'),
      { step: 'rootfs', errnoCode: 'ENOENT', syscall: 'openat2' },
    ],
    [
      'a program that is not in PATH',
      ({ process }) => void (process.args = ['no-such-program']),
      { step: 'exec', errnoCode: 'ENOENT', path: 'no-such-program' },
    ],
    [
      'a program path that does not exist',
      ({ process }) => void (process.args = ['/bin/no-such-program']),
      { step: 'exec', errnoCode: 'ENOENT', path: '/bin/no-such-program' },
    ],
    [
      'a program that is not executable',
      ({ process }) => void (process.args = ['/etc/passwd']),
      { step: 'exec', errnoCode: 'EACCES', path: '/etc/passwd' },
    ],
    [
      'a program that is a directory',
      ({ process }) => void (process.args = ['/bin']),
      { step: 'exec', errnoCode: 'EACCES', path: '/bin' },
    ],
    [
      'a program that is no program',
      ({ process }) => void (process.args = ['/bin/garbage']),
      { step: 'exec', errnoCode: 'ENOEXEC', syscall: 'execve', path: '/bin/garbage' },
    ],
    [
      'a working directory that is a file',
      ({ process }) => void (process.cwd = '/etc/passwd'),
      { step: 'working directory', errnoCode: 'ENOTDIR', path: '/etc/passwd' },
    ],
    [
      'a working directory below a file system that cannot be written',
      ({ process }) => void (process.cwd = '/proc/nothing'),
      { step: 'working directory', errnoCode: 'ENOENT', path: '/proc/nothing' },
    ],
    [
      'a capability that is effective and not permitted',
      ({ process }) => void (process.capabilities = { effective: ['CAP_KILL'] }),
      { step: 'credentials', errnoCode: 'EPERM', syscall: 'capset' },
    ],
    [
      'a limit that this machine does not grant',
      ({ process }) => {
        const most = 2_000_000_000;
        process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: most, hard: most }];
      },
      { step: 'limits', errnoCode: 'EPERM', syscall: 'prlimit' },
    ],
  ])('launch reports %s', async (_, change, expected) => {
    writeFileSync(join(bundle.rootfs, 'bin/garbage'), 'no program\n');
    chmodSync(join(bundle.rootfs, 'bin/garbage'), 0o755);
    const error = await launchErrorOf(change);
    expect(error).toMatchObject(expected);
    expect(error.message).toContain(expected['errnoCode'] as string);
    expect(error.hint ?? '').not.toBe('');
  });

  it('launch keeps the handshake with the error, and nothing of the program with it', async () => {
    const error = await launchErrorOf(({ process }) => {
      process.env!.push('SECRET=hunter2');
      process.args = ['no-such-program', 'hunter2'];
    });
    const lines = parseTranscript(error.transcript.join('\n'));
    expect(
      lines.map((line) => (line.event === 'data' ? line.messages[0]?.type : line.event)),
    ).toEqual(['begin', 'procHooks', 'procHooksDone', 'procReady', 'procRun', 'procError']);
    expect(error.transcript.join()).not.toContain('hunter2');
    expect(error.transcript.join()).not.toContain(
      Buffer.from('hunter2').toString('base64').slice(0, 8),
    );
    const json = JSON.parse(JSON.stringify(error)) as Record<string, unknown>;
    expect(json).toMatchObject({ step: 'exec', errnoCode: 'ENOENT', hint: error.hint });
  });

  it('launch says what of this host explains a failure', async () => {
    const most = Number(readFileSync('/proc/sys/fs/nr_open', 'utf8'));
    const error = await launchErrorOf(({ process }) => {
      process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: most + 1, hard: most + 1 }];
    });
    expect(error.hint).toContain(`more than ${most} open files on this host (fs.nr_open)`);
  });

  it('launch that runs out of descriptors says so, and how many there are', async () => {
    const library = fileURLToPath(import.meta.resolve('@pilotlight/init'));
    const program = join(bundle.path, 'few.mjs');
    const withoutCgroup = shellSpec(
      'true',
      (spec) => void (spec.linux = { namespaces: [{ type: 'mount' }] }),
    );
    delete withoutCgroup.hostname;
    withoutCgroup.mounts = [];
    writeFileSync(
      program,
      `import { closeSync, openSync } from 'node:fs';
       import { launch, sharedZygote } from ${JSON.stringify(library)};
       await sharedZygote();
       const fds = [];
       try { for (;;) fds.push(openSync('/dev/null')); } catch {}
       // Planning reads one file at a time.
       for (const fd of fds.slice(-2)) closeSync(fd);
       try {
         await launch({ id: ${JSON.stringify(newId())}, spec: ${JSON.stringify(withoutCgroup)}, bundle: ${JSON.stringify(bundle.path)} });
       } catch (error) { console.log(JSON.stringify(error)); }
       process.exit();`,
    );
    // Node raises the soft limit to the hard one.
    const script = 'ulimit -n 60 && exec "$0" "$1"';
    const { stdout } = await promisify(execFile)('sh', ['-c', script, process.execPath, program]);
    expect(JSON.parse(stdout)).toMatchObject({
      step: 'fork',
      errnoCode: 'EMFILE',
      hint: expect.stringContaining('This process may have 60 open files at once'),
    });
  });

  it('launch does not follow a link in the root file system out of it', async () => {
    const outside = join(bundle.path, 'outside');
    mkdirSync(outside);
    symlinkSync('../../../../tmp', join(bundle.rootfs, 'data/up'));
    const { stdout } = await runIn(bundle, 'ls -d /tmp/deep', (spec) => {
      spec.root.readonly = false;
      spec.mounts!.push({ destination: '/data/up/deep', type: 'tmpfs' });
    });
    expect(stdout).toBe('/tmp/deep\n');

    // A path that is there on the host, and not inside: it is made inside, as under runc.
    symlinkSync(outside, join(bundle.rootfs, 'data/out'));
    const made = await runIn(bundle, 'stat -c %F $(readlink /data/out)/deep', (spec) => {
      spec.root.readonly = false;
      spec.mounts!.push({ destination: '/data/out/deep', type: 'tmpfs' });
    });
    expect(made.stdout).toBe('directory\n');
    expect(readdirSync(outside)).toEqual([]);
  });

  it('launch makes places in one root from many launches at once, behind a link with ".." too', async () => {
    symlinkSync('../../../../tmp', join(bundle.rootfs, 'data/busy'));
    const depths = Array.from({ length: 30 }, (_, depth) => depth);
    const outcomes = await Promise.all(
      depths.map((depth) =>
        runIn(bundle, `exit ${depth}`, (spec) => {
          spec.root.readonly = false;
          for (const name of ['a', 'b', 'c', 'd']) {
            spec.mounts!.push({ destination: `/data/busy/${name}`, type: 'tmpfs' });
          }
        }),
      ),
    );
    expect(outcomes.map(({ status }) => status.code)).toEqual(depths);
  });

  it('launch runs in a directory that root can enter and its user cannot, as runc does', async () => {
    const { stdout } = await runIn(bundle, 'id -u; ls . 2>&1', (spec) => {
      spec.process.user = { uid: 1000, gid: 1000 };
      spec.mounts!.push({ destination: '/data', type: 'tmpfs', options: ['mode=700'] });
      spec.process.cwd = '/data/inner';
    });
    expect(stdout.split('\n')[0]).toBe('1000');
  });

  it('launch refuses what it would have to ignore, before it does anything', async () => {
    const error = await failureOf(() =>
      launchWith((spec) => void (spec.process.user = { username: 'nobody' })),
    );
    expect(error).toBeInstanceOf(UnsupportedConfigError);
    expect(error).toMatchObject({ field: 'process.user.username' });
  });

  it('launch refuses a terminal without a console socket, and the reverse', async () => {
    expect(
      await failureOf(() => launchWith(({ process }) => void (process.terminal = true))),
    ).toMatchObject({ field: 'process.terminal' });
    const [left, right] = socketpair('seqpacket');
    const config = { id: newId(), spec: shellSpec('true'), bundle: bundle.path };
    expect(await failureOf(() => launch(config, { consoleSocket: left }))).toBeInstanceOf(
      InvalidConfigError,
    );
    left.close();
    right.close();
  });

  it('launch fails when nobody listens on the console socket', async () => {
    const [left, right] = socketpair('seqpacket');
    right.close();
    const spec = shellSpec('true', ({ process }) => void (process.terminal = true));
    const config = { id: newId(), spec, bundle: bundle.path };
    const error = await failureOf(() => launch(config, { consoleSocket: left }));
    left.close();
    expect(error).toMatchObject({ step: 'streams', errnoCode: 'EPIPE' });
  });

  it('launch refuses a cgroup that holds processes', async () => {
    const first = await launch({ id: newId(), spec: shellSpec('sleep 60'), bundle: bundle.path });
    const error = await failureOf(() =>
      launch({ id: first.id, spec: shellSpec('true'), bundle: bundle.path }),
    );
    expect(error).toMatchObject({ step: 'cgroup', path: expect.stringContaining(first.id) });
    expect((error as LaunchError).hint).toContain('id');
    // It was not the second one's to remove.
    const members = readFileSync(join(first.cgroupPaths[0]!, 'cgroup.procs'), 'utf8');
    expect(members).toContain(String(first.pid));
    first.signal('SIGKILL');
    await first.exited;
  });

  it('launch can be aborted at any moment', async () => {
    const config = () => ({ id: newId(), spec: shellSpec('exit 3'), bundle: bundle.path });
    const reason = new Error('enough');
    const aborted = AbortSignal.abort(reason);
    expect(await failureOf(() => launch(config(), { signal: aborted }))).toBe(reason);
    expect(await failureOf(() => launch(config(), { launchSignal: aborted }))).toBe(reason);
    let failed = 0;
    for (let delayMs = 0; delayMs < 25; delayMs += 1) {
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(reason), delayMs);
      try {
        const process = await launch(config(), { launchSignal: controller.signal });
        // Once it runs, the signal has no say.
        expect(await process.exited).toMatchObject({ code: 3 });
      } catch (error) {
        strictEqual(error, reason);
        failed++;
      }
      clearTimeout(timer);
    }
    expect(failed).toBeGreaterThan(0);
  });

  it('prepareLaunch and abort leave nothing, however often abort is called', async () => {
    const prepared = await prepareLaunch({
      id: newId(),
      spec: shellSpec('echo ran > /data/ran', (spec) => void (spec.root.readonly = false)),
      bundle: bundle.path,
    });
    await prepared.abort();
    await prepared.abort();
    expect(() => readFileSync(join(bundle.rootfs, 'data/ran'))).toThrow(/ENOENT/);
    await expect(prepared.run()).rejects.toThrow(/closed/);
  });

  it('prepareLaunch runs nothing before the gate opens', async () => {
    const prepared = await prepareLaunch({
      id: newId(),
      spec: shellSpec('exit 4'),
      bundle: bundle.path,
    });
    // The child is still the one that was forked: its program would be busybox.
    expect(readFileSync(`/proc/${prepared.pid}/cmdline`, 'utf8')).toContain('zygote');
    const process = await prepared.run();
    expect((await process.exited).code).toBe(4);
  });

  it('run says that the child was killed while it waited at the gate', async () => {
    const prepared = await prepareLaunch({
      id: newId(),
      spec: shellSpec('exit 4'),
      bundle: bundle.path,
    });
    process.kill(prepared.pid, 'SIGKILL');
    while (/State:\s+[^Z]/.test(readFileSync(`/proc/${prepared.pid}/status`, 'utf8'))) {
      await sleep(2);
    }
    const error = await failureOf(() => prepared.run());
    expect(error).toBeInstanceOf(ChildDiedError);
    expect(error).toMatchObject({ status: { signal: 9 } });
    // What it had said until then is there.
    const { transcript } = error as ChildDiedError;
    expect(parseTranscript(transcript.join('\n')).at(1)).toMatchObject({
      messages: [{ type: 'procHooks' }],
    });
  });

  it('startZygote says why a program is no Node', async () => {
    expect(await failureOf(() => startZygote({ nodePath: '/does/not/exist' }))).toBeInstanceOf(
      ZygoteError,
    );
    expect(await failureOf(() => startZygote({ nodePath: '/bin/false' }))).toMatchObject({
      code: 'ERR_INIT_ZYGOTE',
      exitCode: 1,
    });
  });
});
