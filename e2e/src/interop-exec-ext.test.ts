// embedshim's exec: our parent side, `pilotlight exec-ext`, and real runc around a real container.
import { deepStrictEqual } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  runcExecArgs,
  type RuncExecOptions,
  runtimeCommand,
  type RuntimeOptions,
  startExec,
  type StartExecOptions,
} from '@pilotlight/process-store/runcext';
import {
  ConsoleSocket,
  peekChild,
  pidfdOpen,
  pidfdSendSignal,
  pidfdState,
  reapChild,
  setChildSubreaper,
  socketpair,
  UnixStream,
  waitPidfd,
} from '@pilotlight/scm-rights';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  belongings,
  type Belongings,
  type BusyboxBundle,
  childrenOf,
  makeBundle,
  missing,
  newId,
  requireNothingLeft,
  shellSpec,
  textOf,
} from './init-bundle.ts';

const lacking = missing('root', 'busybox-static', 'runc');
const launcher = fileURLToPath(new URL('../../bin/pilotlight', import.meta.url));

describe.skipIf(lacking !== '')(`pilotlight exec-ext around runc${lacking}`, () => {
  let bundle: BusyboxBundle;
  let root: string;
  let before: Belongings;
  let children: number[];
  let id: string;
  let init: number;
  let pidFile: string;

  beforeAll(async () => {
    bundle = makeBundle();
    root = join(bundle.path, 'runc');
    // What runc and the wrapper leave comes to us and is reaped by us, whatever process 1 does.
    setChildSubreaper();
    // Makes what stays: the watch on descriptors.
    using self = pidfdOpen(process.pid);
    await waitPidfd(self, { signal: AbortSignal.timeout(1) }).catch(() => undefined);
  });
  afterAll(() => {
    setChildSubreaper(false);
    bundle.remove();
  });
  beforeEach(async () => {
    before = belongings();
    children = childrenOf(process.pid);
    id = newId();
    pidFile = join(bundle.path, 'x.pid');
    writeFileSync(join(bundle.path, 'config.json'), JSON.stringify(shellSpec('exec sleep 1000')));
    await runc(
      'run',
      '--detach',
      '--pid-file',
      join(bundle.path, 'init.pid'),
      '--bundle',
      bundle.path,
      id,
    );
    init = Number(readFileSync(join(bundle.path, 'init.pid'), 'utf8'));
  });
  afterEach(async () => {
    const left = inContainer();
    for (const pid of left) kill(pid);
    // All at once: the first process of a pid namespace ends only when the others are reaped.
    await Promise.all(childrenOf(process.pid).filter(isNew).map(reap));
    await runc('delete', id);
    rmSync(pidFile, { force: true });
    // Everything was over, but for the container itself.
    deepStrictEqual(left, [init]);
    deepStrictEqual(childrenOf(process.pid), children);
    await requireNothingLeft(before);
  });

  const isNew = (pid: number): boolean => !children.includes(pid);

  function kill(pid: number): void {
    using pidfd = pidfdOpen(pid);
    pidfdSendSignal(pidfd, 'SIGKILL');
  }

  async function reap(pid: number): Promise<void> {
    using pidfd = pidfdOpen(pid);
    await waitPidfd(pidfd, { signal: AbortSignal.timeout(10_000) });
    reapChild(pidfd);
  }

  /** Without the streams of this process, which the container would keep open. */
  async function runc(...args: string[]): Promise<void> {
    const child = spawn('runc', ['--root', root, ...args], { stdio: 'ignore' });
    expect([args, ...(await once(child, 'exit'))]).toEqual([args, 0, null]);
  }

  /** The processes of the container that run. */
  function inContainer(): number[] {
    const namespace = readlinkSync(`/proc/${init}/ns/pid`);
    return childrenOf(process.pid)
      .filter(isNew)
      .filter((pid) => {
        try {
          using pidfd = pidfdOpen(pid);
          return (
            readlinkSync(`/proc/${pid}/ns/pid`) === namespace && pidfdState(pidfd) === 'running'
          );
        } catch {
          // It has ended.
          return false;
        }
      });
  }

  type Change = {
    runtime?: RuntimeOptions;
    exec?: Partial<RuncExecOptions>;
    process?: object;
    container?: string;
  };

  /** The command line that executes `args` in the container through our wrapper. */
  function commandFor(args: readonly string[], change: Change = {}): [string, ...string[]] {
    const process = join(bundle.path, 'x.json');
    const { capabilities } = shellSpec('').process;
    writeFileSync(
      process,
      JSON.stringify({
        terminal: false,
        user: { uid: 0, gid: 0 },
        cwd: '/',
        env: ['PATH=/bin'],
        args,
        capabilities,
        ...change.process,
      }),
    );
    return runtimeCommand(
      { root, ...change.runtime },
      runcExecArgs(change.container ?? id, { process, detach: true, pidFile, ...change.exec }),
      [launcher, 'exec-ext'],
    );
  }

  const shell = (script: string, change?: Change): [string, ...string[]] =>
    commandFor(['sh', '-c', script], change);

  const failure = (options: StartExecOptions): Promise<Record<string, unknown>> =>
    startExec(options).then(
      () => Promise.reject(new TypeError('the exec succeeded, but had to fail')),
      (error: unknown) => error as Record<string, unknown>,
    );

  it.each([
    ['exit 3', { code: 3, signal: null, raw: 0x300 }],
    ['exit 0', { code: 0, signal: null, raw: 0 }],
    ['kill -KILL $$', { code: null, signal: 9, raw: 9 }],
  ])('startExec knows the end of what was over before it was watched: %s', async (script, end) => {
    using started = await startExec({
      command: shell(script),
      watch: async ({ pidfd }) => void (await waitPidfd(pidfd)),
    });
    expect(started.exit).toMatchObject(end);
    expect(await started.wait()).toEqual(started.exit);
  });

  it('startExec runs a program in the container, which is told apart from its end', async () => {
    let recorded: unknown = 'nothing';
    using started = await startExec({
      command: shell('trap "exit 7" TERM; while :; do sleep 0.05; done'),
      record: (exit) => void (recorded = exit),
    });
    expect([started.exit, recorded]).toEqual([undefined, undefined]);
    expect(inContainer()).toContain(started.pid);
    expect(readlinkSync(`/proc/${started.pid}/root`)).toBe(readlinkSync(`/proc/${init}/root`));
    started.signal('SIGTERM');
    const ended = started.wait();
    await waitPidfd(started.pidfd);
    expect(peekChild(started.pidfd)).toMatchObject({ code: 7 });
    reapChild(started.pidfd);
    // Linux before 6.15 tells the parent alone.
    expect([7, undefined]).toContain(
      await ended.then((end) => (end === 'unknown' ? undefined : end.code)),
    );
  });

  it('startExec learns of a death by a signal', async () => {
    using started = await startExec({ command: commandFor(['sleep', '1000']) });
    started.signal('SIGTERM');
    await waitPidfd(started.pidfd);
    expect(reapChild(started.pidfd)).toMatchObject({ code: null, signal: 15 });
  });

  it('startExec connects the streams of the process, which has nothing else of ours', async () => {
    const [ours, theirs] = socketpair('stream');
    const stream = new UnixStream(ours);
    using started = await startExec({
      // Not RLIMIT_NOFILE: runc 1.1 sets it before its child's own start-up, which may raise it again.
      command: shell('ulimit -S -s; cat; exit 4', {
        process: { rlimits: [{ type: 'RLIMIT_STACK', soft: 4194304, hard: 8388608 }] },
      }),
      stdio: [theirs, theirs, 'ignore'],
    });
    theirs.close();
    expect(readdirSync(`/proc/${started.pid}/fd`)).toEqual(['0', '1', '2']);
    stream.end('said\n');
    expect(await textOf(stream)).toBe('4096\nsaid\n');
    await waitPidfd(started.pidfd);
    expect(reapChild(started.pidfd)).toMatchObject({ code: 4 });
  });

  it('startExec hands a terminal to a console socket', async () => {
    const path = join(bundle.path, 'console');
    const consoleSocket = ConsoleSocket.listen(path);
    const terminal = consoleSocket.receive();
    using started = await startExec({
      command: shell('test -t 0 && exit 5', {
        exec: { consoleSocket: path },
        process: { terminal: true },
      }),
      watch: async ({ pidfd }) => void (await waitPidfd(pidfd)),
    });
    (await terminal).fd.close();
    consoleSocket.close();
    expect(started.exit).toMatchObject({ code: 5 });
  });

  describe.each<[string, RuntimeOptions]>([
    ['without a log', {}],
    ['with a log as JSON', { log: '/proc/self/cwd/log.json', logFormat: 'json' }],
    ['with a log as text', { log: '/proc/self/cwd/log.txt' }],
  ])('a failing runc %s', (_name, options) => {
    it('startExec fails with what runc said of a program that is not there', async () => {
      const command = commandFor(['/bin/nonexistent'], { runtime: options });
      const error = await failure({ command, cwd: bundle.path });
      expect(error).toMatchObject({
        code: 'ERR_STORE_EXEC_FAILED',
        text: expect.stringMatching(/^run runc exec: exited with \d+: .*nonexistent.*no such file/),
        wrapper: { code: 125, signal: null },
      });
      expect(inContainer()).toEqual([init]);
    });

    it('startExec fails with what runc said of a container that is not there', async () => {
      const command = shell('exit', { runtime: options, container: 'nobody' });
      expect((await failure({ command, cwd: bundle.path }))['text']).toMatch(/does not exist/);
    });
  });

  it('startExec fails when a flag would not take effect', async () => {
    const [program, ...args] = shell('exit');
    const command: [string, ...string[]] = [program, ...args.slice(0, -1), '--cwd', '/tmp', id];
    expect((await failure({ command }))['text']).toMatch(/exec --cwd is not supported/);
    expect(existsSync(pidFile)).toBe(false);
  });

  it('startExec kills the process when it cannot be watched', async () => {
    const wrong = new RangeError('no room');
    const command = commandFor(['sleep', '1000']);
    const error = await failure({ command, watch: () => Promise.reject(wrong) });
    expect(error).toMatchObject({ cause: wrong, wrapper: { code: 125 } });
    expect(inContainer()).toEqual([init]);
  });

  it('startExec kills the process when the wrapper is killed', async () => {
    const error = await failure({
      command: commandFor(['sleep', '1000']),
      watch: async () => {
        const wrapper = childrenOf(process.pid).find((pid) => pid !== init && isNew(pid));
        using pidfd = pidfdOpen(wrapper ?? -1);
        pidfdSendSignal(pidfd, 'SIGKILL');
        await waitPidfd(pidfd);
      },
    });
    expect(error).toMatchObject({ wrapper: { code: null, signal: 'SIGKILL' } });
    await expect.poll(inContainer).toEqual([init]);
  });

  describe('with another parent', () => {
    function wrap(command: readonly [string, ...string[]]): {
      parent: UnixStream;
      ended: Promise<unknown[]>;
    } {
      const [childEnd, parentEnd] = socketpair('stream');
      const [file, ...args] = command;
      const child = spawn(file, args, {
        env: { ...process.env, _RUNCEXT_PROC_SYNC_PIPE: '3' },
        stdio: ['ignore', 'ignore', 'ignore', childEnd.fd],
      });
      childEnd.close();
      const parent = new UnixStream(parentEnd, { allowHalfOpen: true });
      parent.on('error', () => undefined);
      return { parent, ended: once(child, 'exit') };
    }

    it('exec-ext says what embedshim expects, byte for byte', async () => {
      const { parent, ended } = wrap(commandFor(['sleep', '1000']));
      const said: string[] = [];
      for await (const chunk of parent) {
        said.push(String(chunk));
        parent.write(`{"type":"exec${said.length === 1 ? 'Pid' : 'Status'}Done"}`);
      }
      parent.destroy();
      expect(await ended).toEqual([0, null]);
      const pid = Number(readFileSync(pidFile, 'utf8'));
      expect(said).toEqual([
        `{"type":"execPid","pid":${pid},"exited":false,"exited_status":0}`,
        '{"type":"execStatus","pid":0,"exited":false,"exited_status":0}',
      ]);
      kill(pid);
      await reap(pid);
    });

    it('exec-ext kills the process when the parent sends garbage, and says so', async () => {
      const { parent, ended } = wrap(commandFor(['sleep', '1000']));
      await once(parent, 'readable');
      parent.write('\0\0garbage');
      expect(await textOf(parent)).toMatch(
        /^\{"type":"execPid",[^}]*\}\{"type":"error",.*"message":"error: .*expected an object/,
      );
      parent.destroy();
      expect(await ended).toEqual([125, null]);
      expect(inContainer()).toEqual([init]);
    });

    it('exec-ext kills the process when the parent is gone', async () => {
      const { parent, ended } = wrap(commandFor(['sleep', '1000']));
      await once(parent, 'readable');
      parent.destroy();
      expect(await ended).toEqual([125, null]);
      expect(inContainer()).toEqual([init]);
    });

    it('exec-ext leaves nothing when the parent is gone from the start', async () => {
      const { parent, ended } = wrap(commandFor(['sleep', '1000']));
      parent.destroy();
      expect(await ended).toEqual([125, null]);
      expect(inContainer()).toEqual([init]);
    });
  });
});
