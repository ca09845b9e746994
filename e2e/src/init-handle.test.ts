// What a launch hands out: how the program ended and why, its streams, and the end of all it started.
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import {
  InvalidConfigError,
  launch,
  type LaunchedProcess,
  type LaunchOptions,
  prepareLaunch,
  type PreparedLaunch,
  removeCgroup,
} from '@pilotlight/init';
import { describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { type Change, missing, newId, shellSpec, textOf } from './init-bundle.ts';

/** In any hierarchy of this machine. */
const hasController = (name: string): boolean =>
  readFileSync('/proc/cgroups', 'utf8').includes(`\n${name}\t`);
const controllers = ['memory', 'pids'].filter((name) => !hasController(name));
const lacking =
  missing('root', 'busybox-static') +
  controllers.map((name) => ` (needs the ${name} controller)`).join('');
const pipes = ['pipe', 'pipe', 'pipe'] as const;
const outputs = ['ignore', 'pipe', 'pipe'] as const;

/** Without a pid namespace only the cgroup holds the processes together. */
const withoutPidNamespace: Change = (spec) => {
  spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== 'pid');
};

describe.skipIf(lacking !== '')(`the handle of a launch${lacking}`, () => {
  const bundle = useCleanBundle();

  const configOf = (script: string, change?: Change): Parameters<typeof launch>[0] => ({
    id: newId(),
    spec: shellSpec(script, change),
    bundle: bundle.path,
  });

  const start = (
    script: string,
    options: LaunchOptions = {},
    change?: Change,
  ): Promise<LaunchedProcess> => launch(configOf(script, change), { stdio: outputs, ...options });

  /** The directory of the container's cgroup that has a file of this name, or of the other in v2. */
  function limitFile(prepared: PreparedLaunch, ...names: string[]): string | undefined {
    return prepared.cgroupPaths
      .flatMap((path) => names.map((name) => join(path, name)))
      .find((file) => existsSync(file));
  }

  const marker = `MARK=init-handle-${process.pid}`;

  /** Processes of this machine, in whatever namespaces, that were started by a `marked` program. */
  function runningHere(): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && environmentOf(name).includes(marker))
      .map(Number);
  }

  function environmentOf(pid: string): string {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8');
    } catch {
      // It has ended.
      return '';
    }
  }

  const marked: Change = (spec) => void spec.process.env!.push(marker);
  const markedWithoutPidNamespace: Change = (spec) => {
    marked(spec);
    withoutPidNamespace(spec);
  };

  describe('ended', () => {
    it('ended says exited with the code, and signaled with the signal', async () => {
      const seven = await start('exit 7');
      expect(await seven.ended).toMatchObject({ reason: 'exited', code: 7, signal: null });
      expect((await seven.ended).status).toEqual(await seven.exited);
      const hit = await start('exec sleep 60');
      hit.signal('SIGUSR1');
      // As init of its pid namespace it is killed by no signal but this one, from outside.
      hit.signal('SIGKILL');
      expect(await hit.ended).toMatchObject({ reason: 'signaled', code: null, signal: 9 });
    });

    it('ended says oom when the memory limit of its cgroup killed it', async () => {
      await using prepared = await prepareLaunch(
        // dd takes its buffer of 64 MB at once.
        configOf('dd if=/dev/zero of=/dev/null bs=64M count=1', marked),
        { stdio: outputs },
      );
      const file = limitFile(prepared, 'memory.limit_in_bytes', 'memory.max');
      writeFileSync(file!, String(16 << 20));
      const swap = limitFile(prepared, 'memory.memsw.limit_in_bytes', 'memory.swap.max');
      if (swap !== undefined) writeFileSync(swap, swap.endsWith('.max') ? '0' : String(16 << 20));
      const end = await (await prepared.run()).ended;
      expect(end).toMatchObject({ reason: 'oom' });
      expect(end.code).not.toBe(0);
      expect(end.message).toContain('want of memory');
    });

    it('a child that is killed for want of memory before its program runs says so', async () => {
      const config = configOf('true', (spec) => {
        spec.linux!.resources = {
          ...spec.linux!.resources,
          memory: { limit: 262_144, swap: 262_144 },
        };
      });
      await expect(launch(config, { stdio: outputs })).rejects.toMatchObject({
        code: 'ERR_INIT_CHILD_DIED',
        oomKilled: true,
        message: expect.stringContaining('want of memory'),
        hint: expect.stringContaining('linux.resources.memory.limit'),
      });
    });

    it.each([
      ['pidsLimit', 2, '(true); exit 0'],
      ['pidsLimit', 3, 'sh -c "(true); true"; exit 3'],
      // It came to terms with the limit.
      ['exited', 0, 'sh -c "(true); true"; exit 0'],
    ])('ended says %s with code %i for forks that were refused', async (reason, code, script) => {
      await using prepared = await prepareLaunch(configOf(script), { stdio: outputs });
      const file = limitFile(prepared, 'pids.max');
      writeFileSync(file!, script.startsWith('sh') ? '2' : '1');
      const { end, stderr } = await (await prepared.run()).output();
      expect(stderr).toContain('fork');
      expect(end).toMatchObject({ reason, code });
    });

    it('ended says timeout when the program ran too long, with all that it started', async () => {
      const begun = performance.now();
      const launched = await start(`trap '' TERM INT; sleep 60 & sleep 60`, { timeoutMs: 100 });
      const { end } = await launched.output();
      expect(end).toMatchObject({
        reason: 'timeout',
        signal: 9,
        message: 'killed: it ran for more than 100 ms',
      });
      expect(performance.now() - begun).toBeGreaterThanOrEqual(100);
    });

    it('ended says exited when the program was faster than its limits', async () => {
      const launched = await start('echo hello', {
        timeoutMs: 60_000,
        maxOutputBytes: 6,
        signal: new AbortController().signal,
      });
      expect(await launched.output()).toMatchObject({
        stdout: 'hello\n',
        end: { reason: 'exited', code: 0 },
      });
    });

    it('ended says timeout without a pid namespace too, and kills what was started', async () => {
      const launched = await start(
        'setsid sleep 60 & sleep 60',
        { timeoutMs: 100 },
        markedWithoutPidNamespace,
      );
      expect((await launched.ended).reason).toBe('timeout');
      expect(runningHere()).toEqual([]);
    });

    it('ended says aborted after exec, with the reason of the signal', async () => {
      const controller = new AbortController();
      const reason = new Error('enough');
      const launched = await start('echo up; exec sleep 60', { signal: controller.signal });
      for await (const _ of launched.stdout!) break;
      controller.abort(reason);
      expect(await launched.ended).toMatchObject({ reason: 'aborted', signal: 9, cause: reason });
    });

    it('launch aborted before exec is rejected with the reason and leaves nothing', async () => {
      const reason = new Error('enough');
      const controller = new AbortController();
      const prepared = await prepareLaunch(configOf('exit 3'), { signal: controller.signal });
      controller.abort(reason);
      await expect(prepared.run()).rejects.toBe(reason);
    });

    it('launch with a signal aborted at any moment fails, or ends as aborted or exited', async () => {
      const reason = new Error('enough');
      const outcomes = new Set<string>();
      // Until the program was reached: a busy machine takes its time.
      for (let delayMs = 0; delayMs < 1000 && !outcomes.has('aborted'); delayMs++) {
        const controller = new AbortController();
        const timer = setTimeout(() => controller.abort(reason), delayMs);
        const launching = start('exec sleep 60', { signal: controller.signal });
        outcomes.add(
          await launching.then(
            async (launched) => (await launched.ended).reason,
            (error: unknown) => (error === reason ? 'rejected' : String(error)),
          ),
        );
        clearTimeout(timer);
      }
      expect([...outcomes].toSorted()).toEqual(['aborted', 'rejected']);
    });
  });

  describe('maxOutputBytes', () => {
    it('delivers the bytes up to the limit, and kills for one more', async () => {
      const launched = await start('yes x', { maxOutputBytes: 100_001 });
      const { stdout, end } = await launched.output();
      expect(stdout).toHaveLength(100_001);
      expect(end).toMatchObject({
        reason: 'outputLimit',
        signal: 9,
        message: 'killed: it wrote more than 100001 bytes',
      });
    });

    it('counts both outputs together', async () => {
      const launched = await start('echo 12345; echo 67890 >&2; exec sleep 60', {
        maxOutputBytes: 9,
      });
      const { stdout, stderr, end } = await launched.output();
      expect(stdout.length + stderr.length).toBe(9);
      expect(end.reason).toBe('outputLimit');
    });

    it('is told even when the program had ended before anybody read', async () => {
      const launched = await start('echo 1234567890', { maxOutputBytes: 5 });
      expect(await launched.ended).toMatchObject({ reason: 'outputLimit' });
      expect(await textOf(launched.stdout)).toBe('12345');
    });

    it('allows exactly its number, and 0', async () => {
      expect((await (await start('echo 1234', { maxOutputBytes: 5 })).ended).reason).toBe('exited');
      expect((await (await start('true', { maxOutputBytes: 0 })).ended).reason).toBe('exited');
      const { stdout, end } = await (await start('echo', { maxOutputBytes: 0 })).output();
      expect([stdout, end.reason]).toEqual(['', 'outputLimit']);
    });

    it('launch refuses a limit that is none before it does anything', async () => {
      await expect(start('true', { maxOutputBytes: 0.5 })).rejects.toBeInstanceOf(
        InvalidConfigError,
      );
      await expect(start('true', { timeoutMs: 2 ** 31 })).rejects.toThrow('options.timeoutMs');
    });
  });

  describe('streams', () => {
    it('web streams carry bytes in both directions', async () => {
      const launched = await start('cat; echo bye >&2', { stdio: pipes });
      const { stdin, stdout, stderr } = launched.web;
      const writer = stdin!.getWriter();
      await writer.write(Buffer.from('hello'));
      await writer.close();
      expect(await Promise.all([text(stdout!), text(stderr!)])).toEqual(['hello', 'bye\n']);
      expect(launched.web.stdout).toBe(stdout);
      expect((await launched.ended).reason).toBe('exited');
    });

    it('web streams are null where there is no pipe', async () => {
      const launched = await start('true', { stdio: ['ignore', 'ignore', 'ignore'] });
      expect([launched.web.stdin, launched.web.stdout, launched.web.stderr]).toEqual([
        null,
        null,
        null,
      ]);
      await launched.ended;
    });

    it('a reader that comes after the end still reads all, and one that never comes leaks nothing', async () => {
      const script = 'i=0; while [ $i -lt 3000 ]; do echo 0123456789; i=$((i+1)); done';
      const late = await start(script);
      await late.ended;
      expect((await textOf(late.stdout)).length).toBe(33_000);
      // requireNothingLeft looks for the descriptors of this one.
      const never = await start(script);
      await never.ended;
    });

    it('a slow reader holds the program back, and gets everything', async () => {
      const launched = await start('dd if=/dev/zero bs=64k count=64 2>/dev/null');
      let bytes = 0;
      for await (const chunk of launched.stdout!) {
        bytes += (chunk as Buffer).length;
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(bytes).toBe(64 * 65_536);
      await launched.ended;
    });

    it('a program that waits for its reader can be ended all the same', async () => {
      const launched = await start('exec yes', { timeoutMs: 100 });
      expect((await launched.ended).reason).toBe('timeout');
      await launched[Symbol.asyncDispose]();
    });
  });

  describe('asyncDispose', () => {
    const family = `
      trap '' TERM INT HUP
      (setsid sh -c "trap '' TERM INT HUP; (sleep 61 & sleep 62) & sleep 63" &)
      echo up; sleep 64`;

    it.each<[string, Change]>([
      ['a pid namespace', marked],
      ['a cgroup alone', markedWithoutPidNamespace],
    ])(
      'ends descendants that ignore signals and left their session, by %s',
      async (_name, change) => {
        {
          await using launched = await start(family, {}, change);
          for await (const _ of launched.stdout!) break;
          await expect.poll(() => runningHere().length).toBeGreaterThanOrEqual(4);
        }
        expect(runningHere()).toEqual([]);
      },
    );

    it('ends what a program left behind that has exited before', async () => {
      const launched = await start('setsid sleep 60 & exit 0', {}, markedWithoutPidNamespace);
      expect((await launched.ended).reason).toBe('exited');
      expect(runningHere()).toHaveLength(1);
      await launched[Symbol.asyncDispose]();
      expect(runningHere()).toEqual([]);
      expect(launched.cgroupPaths.filter((path) => existsSync(path))).toEqual([]);
    });

    it('does nothing a second time, nor for a program that is gone', async () => {
      const launched = await start('exit 4');
      await launched.ended;
      await Promise.all([launched[Symbol.asyncDispose](), launched[Symbol.asyncDispose]()]);
      expect(await launched.exited).toMatchObject({ code: 4 });
    });

    it('throws away what nobody has read, and closes what nobody has closed', async () => {
      const launched = await start('yes | head -c 60000; exec cat', { stdio: pipes });
      // Something has come, and is not read.
      await once(launched.stdout!, 'readable');
      await launched[Symbol.asyncDispose]();
      expect(launched.stdout!.destroyed).toBe(true);
      expect(launched.stdin!.destroyed).toBe(true);
    });

    it.each([
      ['before', 'exit 3', /Z/],
      ['after', 'read line', /[RS]/],
    ])('a program that ends %s it is detached leaves no zombie', async (_, script, state) => {
      const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
      // Held in `onExit`, so that nobody reaps it.
      const launched = await start(script, { stdio: pipes, onExit: () => held });
      const stateOf = (): string => {
        const path = `/proc/${launched.pid}/stat`;
        return existsSync(path)
          ? (/\) (\w)/.exec(readFileSync(path, 'latin1'))?.[1] ?? '')
          : 'gone';
      };
      await expect.poll(stateOf).toMatch(state);
      launched.detach();
      launched.stdin!.end();
      await expect.poll(stateOf).toBe('gone');
      letGo();
      for (const stream of [launched.stdout!, launched.stderr!]) stream.destroy();
      expect(await removeCgroup(launched.cgroupPaths)).toEqual([]);
    });

    it('leaves a detached program alone', async () => {
      const launched = await start('exec sleep 60', { timeoutMs: 50 }, marked);
      const { pid } = launched;
      launched.detach();
      await launched[Symbol.asyncDispose]();
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(runningHere()).toEqual([pid]);
      process.kill(pid, 'SIGKILL');
      await expect.poll(() => runningHere()).toEqual([]);
      for (const stream of [launched.stdout!, launched.stderr!]) stream.destroy();
      expect(await removeCgroup(launched.cgroupPaths)).toEqual([]);
    });

    it('run of a prepared launch, called twice, is the one program', async () => {
      const prepared = await prepareLaunch(configOf('read line; exit 9'), { stdio: pipes });
      const launched = await prepared.run();
      expect(await prepared.run()).toBe(launched);
      launched.stdin!.end('go on\n');
      expect(await launched.ended).toMatchObject({ reason: 'exited', code: 9 });
    });

    it('a poststart hook that fails leaves nothing of a program without a pid namespace', async () => {
      const began = join(bundle.rootfs, 'tmp/began');
      rmSync(began, { force: true });
      const config = configOf('sleep 60 & echo > /tmp/began; wait', (spec) => {
        markedWithoutPidNamespace(spec);
        spec.root.readonly = false;
        const wait = `until [ -e ${began} ]; do sleep 0.02; done; exit 3`;
        spec.hooks = { poststart: [{ path: '/bin/sh', args: ['sh', '-c', wait] }] };
      });
      await expect(launch(config, { stdio: outputs })).rejects.toMatchObject({ step: 'poststart' });
      expect(runningHere()).toEqual([]);
      rmSync(began);
    });

    it('of a prepared launch aborts it, and leaves a program alone that runs', async () => {
      {
        await using prepared = await prepareLaunch(configOf('exit 9'));
        expect(prepared.pid).toBeGreaterThan(0);
      }
      let launched: LaunchedProcess;
      {
        await using prepared = await prepareLaunch(configOf('exit 9'));
        launched = await prepared.run();
      }
      expect(await launched.ended).toMatchObject({ reason: 'exited', code: 9 });
    });

    it('of a prepared launch in the middle of its run rejects that and leaves nothing', async () => {
      const prepared = await prepareLaunch(configOf('exit 9'));
      const running = prepared.run();
      const outcome = running.then(
        (launched) => launched.ended,
        (error: unknown) => error,
      );
      await prepared[Symbol.asyncDispose]();
      expect(await outcome).toBeDefined();
    });

    it('ends 20 at once, whatever they do', async () => {
      const scripts = ['exec sleep 60', family, 'yes', 'exit 3', `trap '' TERM; sleep 60`];
      const launches = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          start(scripts[index % scripts.length]!, { timeoutMs: 60_000 }, marked),
        ),
      );
      await Promise.all(launches.map((launched) => launched[Symbol.asyncDispose]()));
      expect(runningHere()).toEqual([]);
      const reasons = await Promise.all(launches.map(async ({ ended }) => (await ended).reason));
      expect(reasons.filter((reason) => reason !== 'signaled' && reason !== 'exited')).toEqual([]);
    });
  });
});
