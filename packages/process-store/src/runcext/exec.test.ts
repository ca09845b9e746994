// Both sides of embedshim's exec, without a container: the runtime is a script that does what `runc exec --detach` does.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  peekChild,
  pidfdOpen,
  pidfdSendSignal,
  pidfdState,
  reapChild,
  setChildSubreaper,
  socketpair,
  UnixStream,
  type WaitStatus,
  waitPidfd,
} from '@pilotlight/scm-rights';
import { withoutFdLeak } from '@pilotlight/scm-rights/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { childPids } from './kill-children.ts';
import { procSyncVariable } from './proc-sync-socket.ts';
import { runcExecArgs } from './runc-args.ts';
import { runtimeCommand, type RuntimeOptions } from './runtime-command.ts';
import { serveExec } from './serve-exec.ts';
import { startExec, type StartExecOptions } from './start-exec.ts';

const program = (name: string): [string, ...string[]] => [
  process.execPath,
  '--conditions=@pilotlight/source',
  fileURLToPath(new URL(`../../test/runcext/${name}.ts`, import.meta.url)),
];
const wrapper = program('wrapper');
const scripted = (...steps: string[]): [string, ...string[]] => [
  ...program('scripted-wrapper'),
  ...steps,
];

const hasSetpriv = await new Promise<boolean>((resolve) => {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'true'], { stdio: 'ignore' });
  child.on('error', () => resolve(false));
  child.on('exit', (code) => resolve(code === 0));
});

describe('exec through a wrapper', { timeout: 60_000 }, () => {
  let directory: string;
  let pidFile: string;
  let before: number[];

  beforeAll(async () => {
    directory = realpathSync(mkdtempSync(join(tmpdir(), 'runcext-')));
    pidFile = join(directory, 'x.pid');
    // What the process leaves comes to us, as it would to a daemon that is a subreaper.
    setChildSubreaper();
    // Makes what stays: the watch on descriptors.
    using self = pidfdOpen(process.pid);
    await waitPidfd(self, { signal: AbortSignal.timeout(1) }).catch(() => undefined);
  });
  afterAll(() => {
    setChildSubreaper(false);
    rmSync(directory, { recursive: true });
  });
  beforeEach(() => {
    before = childPids();
  });
  afterEach(async () => {
    await reapOrphans();
    rmSync(pidFile, { force: true });
    rmSync(join(directory, 'stays'), { force: true });
  });

  /** Reaps what has come to us. Fails on what still runs: each test ends what it made. */
  async function reapOrphans(): Promise<void> {
    for (const pid of childPids().filter((one) => !before.includes(one))) {
      using pidfd = pidfdOpen(pid);
      await waitPidfd(pidfd, { signal: AbortSignal.timeout(30_000) });
      reapChild(pidfd);
    }
  }

  /** A runtime that runs `body` with its last argument but one, the pid file, as $file. */
  function runtime(body: string): string {
    const path = join(directory, 'runtime');
    const script = `#!/bin/sh
while [ "$1" != exec ]; do [ "$1" = --log ] && log=$2; shift; done
while [ $# -gt 1 ]; do [ "$1" = --pid-file ] && file=$2; shift; done
${body}
`;
    writeFileSync(path, script);
    chmodSync(path, 0o755);
    return path;
  }

  /**
   * A runtime that executes a shell command and leaves it. The command begins when the runtime is gone: a shell that
   * still lives may reap it, which runc never does.
   */
  const executing = (script: string): string =>
    runtime(
      `sh -c 'while [ "$(cut -d" " -f4 /proc/$$/stat)" = '$$' ]; do sleep 0.02; done; ${script}' >/dev/null 2>&1 & printf %s $! > "$file"`,
    );

  function execution(
    command: string,
    options: Partial<StartExecOptions> & { runtime?: RuntimeOptions } = {},
  ): StartExecOptions {
    const { runtime: more, ...rest } = options;
    const args = runcExecArgs('box', { process: '/p.json', detach: true, pidFile });
    return { command: runtimeCommand({ ...more, command }, args, wrapper), ...rest };
  }

  const failure = async (options: StartExecOptions): Promise<Record<string, unknown>> =>
    startExec(options).then(
      (started) => {
        started.signal('SIGKILL');
        started[Symbol.dispose]();
        throw new TypeError('the exec succeeded, but had to fail');
      },
      (error: unknown) => error as Record<string, unknown>,
    );

  /** Whether the process that the pid file names is gone, or only waits for us to reap it. */
  function isDead(pid = Number(readFileSync(pidFile, 'utf8'))): boolean {
    if (!existsSync(`/proc/${pid}`)) return true;
    using pidfd = pidfdOpen(pid);
    return pidfdState(pidfd) !== 'running';
  }

  /** Resolves when it holds. */
  async function deadline(timeMs: number, holds: () => boolean): Promise<void> {
    const signal = AbortSignal.timeout(timeMs);
    while (!holds()) {
      signal.throwIfAborted();
      await sleep(10);
    }
  }

  describe('startExec with serveExec', () => {
    it.each<[string, Partial<WaitStatus>]>([
      ['exit 3', { code: 3, signal: null }],
      ['exit 0', { code: 0, signal: null }],
      ['kill -TERM $$', { code: null, signal: 15 }],
    ])(
      'startExec learns the end of a process that was over before it was watched: %s',
      (script, end) =>
        withoutFdLeak(async () => {
          const recorded: (WaitStatus | undefined)[] = [];
          using started = await startExec(
            execution(executing(script), {
              watch: async ({ pid, pidfd }) => {
                expect(pid).toBe(Number(readFileSync(pidFile, 'utf8')));
                await waitPidfd(pidfd);
              },
              record: (exit) => {
                // Not reaped before it is recorded.
                expect(isDead()).toBe(true);
                recorded.push(exit);
              },
            }),
          );
          expect(started.exit).toMatchObject(end);
          expect(recorded).toEqual([started.exit]);
          expect(await started.wait()).toEqual(started.exit);
        }),
    );

    it('startExec leaves a process that runs to the next subreaper, and wait tells its end', () =>
      withoutFdLeak(async () => {
        const recorded: unknown[] = [];
        using started = await startExec(
          execution(executing('exec sleep 1000'), { record: (exit) => void recorded.push(exit) }),
        );
        expect([started.exit, recorded]).toEqual([undefined, [undefined]]);
        // It is our child now.
        expect(peekChild(started.pidfd)).toBeUndefined();
        started.signal('SIGTERM');
        const ended = started.wait();
        await waitPidfd(started.pidfd);
        reapChild(started.pidfd);
        expect([{ code: null, signal: 15 }, 'unknown']).toContainEqual(
          await ended.then((end) =>
            end === 'unknown' ? end : { code: end.code, signal: end.signal },
          ),
        );
      }));

    it('startExec gives the process its streams and environment, and none of the descriptors', async () => {
      const out = join(directory, 'out');
      const [reader, writer] = socketpair('stream');
      using _reader = reader;
      using _writer = writer;
      const command = runtime(
        `{ cat; echo "$A $NOTIFY_SOCKET $${procSyncVariable} $(ulimit -S -n)"; readlink /proc/$$/fd/*; } > ${out}
sleep 1000 >/dev/null 2>&1 & printf %s $! > "$file"`,
      );
      const input = new UnixStream(writer);
      input.end('said\n');
      using started = await startExec(
        execution(command, {
          env: { ...process.env, A: 'a', NOTIFY_SOCKET: '@n' },
          stdio: [reader, 'ignore', 'ignore'],
          runtime: { log: join(directory, 'log') },
        }),
      );
      started.signal('SIGKILL');
      const [said, values, ...open] = readFileSync(out, 'utf8').trim().split('\n');
      expect([said, values]).toEqual(['said', `a   1024`]);
      // Its standard input is one.
      expect(open.filter((target) => target.startsWith('socket:'))).toHaveLength(1);
    });

    it.each([
      ['in a log of ours', undefined, '{"level":"error","msg":"exec failed: no such file"}'],
      [
        'in the log that was asked for',
        'log.txt',
        'time="t" level=error msg="exec failed: no such file"',
      ],
    ])('startExec fails with what the runtime said %s', async (_name, log, line) => {
      const command = runtime(`printf '%s\\n' '${line}' >> "$log"; exit 1`);
      const options = log === undefined ? {} : { runtime: { log: join(directory, log) } };
      expect(await failure(execution(command, options))).toMatchObject({
        code: 'ERR_STORE_EXEC_FAILED',
        text: `run ${command} exec: exited with 1: exec failed: no such file`,
        wrapper: { code: 125, signal: null },
        cause: { code: 'ERR_SYNC_PEER_ERROR' },
      });
    });

    it.each([
      ['is missing', '/nonexistent/runtime', /run \/nonexistent\/runtime exec: exited with 127/],
      ['is killed', 'kill -KILL $$', /was ended by SIGKILL/],
      ['writes no pid file', 'true', /ENOENT.*x\.pid/],
      ['writes no pid', 'echo 17 > "$file"', /"17\\n" is not a pid/],
      ['leaves the pid file empty', ': > "$file"', /it stays empty/],
      ['names a stranger', 'printf 1 > "$file"', /waitid fd \d+: ECHILD/],
      ['names nobody', 'printf 4194304 > "$file"', /pidfd_open pid 4194304: ESRCH/],
    ])('startExec fails when the runtime %s', async (_name, body, reason) => {
      const command = body.startsWith('/') ? body : runtime(body);
      const error = await failure(execution(command));
      expect(error['text']).toMatch(reason);
      expect(error['wrapper']).toEqual({ code: 125, signal: null });
    });

    it('startExec fails when a flag is refused, before anything runs', async () => {
      const { command } = execution(runtime(`touch ${directory}/stays`));
      const error = await failure({
        command: [...command.slice(0, -1), '--cwd=/', 'box'] as never,
      });
      expect(error['text']).toMatch(/exec --cwd is not supported/);
      expect(existsSync(join(directory, 'stays'))).toBe(false);
    });

    it('serveExec kills what a failed runtime left behind', async () => {
      const command = runtime(
        `sleep 1000 >/dev/null 2>&1 & printf %s $! > ${directory}/stays; exit 1`,
      );
      await failure(execution(command));
      expect(isDead(Number(readFileSync(join(directory, 'stays'), 'utf8')))).toBe(true);
    });

    it('startExec kills the process when a hook fails, and tells why', () =>
      withoutFdLeak(async () => {
        for (const hook of ['watch', 'record']) {
          const wrong = new RangeError(`no room to ${hook}`);
          const fail = (): Promise<never> => Promise.reject(wrong);
          const options = execution(executing('exec sleep 1000'), { [hook]: fail });
          expect(await failure(options)).toMatchObject({
            cause: wrong,
            message: expect.stringContaining(wrong.message),
          });
          expect(isDead()).toBe(true);
        }
      }));

    it('startExec gives up when its signal is aborted, while the runtime runs too', () =>
      withoutFdLeak(async () => {
        const stop = new AbortController();
        const command = runtime(`printf %s $$ > ${directory}/stays; exec sleep 1000`);
        const failing = failure(execution(command, { signal: stop.signal }));
        await expect.poll(() => fileText('stays'), { timeout: 10_000 }).not.toBe('');
        stop.abort(new Error('enough'));
        expect(await failing).toMatchObject({
          cause: { code: 'ERR_SYNC_ABORTED', cause: { message: 'enough' } },
        });
        expect(isDead(Number(fileText('stays')))).toBe(true);
        expect(await failure(execution(command, { signal: stop.signal }))).toMatchObject({
          cause: { message: 'enough' },
          wrapper: { code: null, signal: null },
        });
      }));

    function fileText(name: string): string {
      const path = join(directory, name);
      return existsSync(path) ? readFileSync(path, 'utf8') : '';
    }

    it('startExec fails when the wrapper is killed, and kills the process it knows', async () => {
      const options = execution(executing('exec sleep 1000'), {
        watch: async () => {
          const [pid] = childPids().filter((one) => !before.includes(one));
          using pidfd = pidfdOpen(pid ?? -1);
          pidfdSendSignal(pidfd, 'SIGKILL');
          await waitPidfd(pidfd);
        },
      });
      const error = await failure(options);
      expect(error['message']).toMatch(/the wrapper was ended by SIGKILL/);
      await expect.poll(() => isDead()).toBe(true);
    });

    it.skipIf(!hasSetpriv)(
      'serveExec takes the runtime with it when it is killed (needs setpriv of util-linux)',
      async () => {
        const command = runtime(`printf %s $$ > ${directory}/stays; exec sleep 1000`);
        const failing = failure(execution(command));
        await expect.poll(() => fileText('stays'), { timeout: 10_000 }).not.toBe('');
        const [wrapperPid] = childPids().filter((one) => !before.includes(one));
        using pidfd = pidfdOpen(wrapperPid ?? -1);
        pidfdSendSignal(pidfd, 'SIGKILL');
        expect(await failing).toMatchObject({
          wrapper: { code: null, signal: 'SIGKILL' },
          cause: { code: 'ERR_SYNC_HANDSHAKE', fault: 'missing' },
        });
        await expect.poll(() => isDead(Number(fileText('stays')))).toBe(true);
      },
    );
  });

  describe('startExec with other wrappers', () => {
    const status = (raw: number): string =>
      `{"type":"execStatus","pid":0,"exited":true,"exited_status":${raw}}`;
    const pid = '{"type":"execPid","pid":$PID,"exited":false,"exited_status":0}';

    it('startExec speaks to a wrapper that writes back to back', async () => {
      // The wrapper passes itself off as the process: it lives.
      using started = await startExec({ command: scripted(pid, 'read', status(0x300), 'read') });
      expect(started.exit).toMatchObject({ code: 3, raw: 0x300 });
    });

    it.each<[string, string[], RegExp]>([
      ['says nothing and succeeds', [], /expected execPid .*received end of file.*exited with 0/],
      ['stops after the pid', [pid, 'read'], /received end of file/],
      ['sends the status first', [status(0), 'read'], /received execStatus .*out-of-order/],
      ['sends the pid twice', [pid, 'read', pid, 'read'], /received execPid .*duplicate/],
      ['answers itself', ['{"type":"execPidDone"}', 'read'], /received execPidDone/],
      ['writes no JSON', ['pid 17\n', 'read'], /expected an object/],
      ['knows no pid', ['{"type":"execPid","pid":0}', 'read'], /decode a message of embedshim/],
      ['names a pid that is not there', ['{"type":"execPid","pid":4194304}', 'read'], /ESRCH/],
      [
        'has no status',
        [pid, 'read', '{"type":"execStatus","exited":true}', 'read'],
        /decode a message/,
      ],
      ['says stopped', [pid, 'read', status(0x137f), 'read'], /not the wait status of a process/],
      ['says too much', [pid, 'read', status(0x10000), 'read'], /not the wait status of a process/],
      [
        'fails at last',
        [pid, 'read', status(0), 'read', 'exit 4'],
        /the wrapper exited with 4 at last/,
      ],
      ['reports and succeeds', ['{"type":"error","message":"error: no"}'], /wrapper: no$/],
      ['reports nothing', ['{"type":"error"}', 'exit 1'], /failed and gave no reason/],
    ])('startExec fails when the wrapper %s', (_name, steps, reason) =>
      withoutFdLeak(async () => {
        const error = await failure({ command: scripted(...steps) });
        expect(error).toMatchObject({
          code: 'ERR_STORE_EXEC_FAILED',
          message: expect.stringMatching(reason),
        });
      }),
    );

    it('startExec fails when there is no wrapper', () =>
      withoutFdLeak(async () => {
        expect(await failure({ command: ['/nonexistent/wrapper'] })).toMatchObject({
          code: 'ERR_STORE_EXEC_FAILED',
          cause: { code: 'ENOENT' },
        });
      }));
  });

  describe('serveExec with other parents', () => {
    /** Starts the wrapper with our end of the pair, on which raw bytes are exchanged. */
    function wrap(command: string): { parent: UnixStream; ended: Promise<unknown[]> } {
      const [childEnd, parentEnd] = socketpair('stream');
      const [file, ...args] = execution(command).command;
      const child = spawn(file, args, {
        env: { ...process.env, [procSyncVariable]: '3' },
        stdio: ['ignore', 'ignore', 'ignore', childEnd.fd],
      });
      childEnd.close();
      const parent = new UnixStream(parentEnd, { allowHalfOpen: true });
      parent.on('error', () => undefined);
      return { parent, ended: once(child, 'exit') };
    }

    async function textUntilEnd(parent: UnixStream): Promise<string> {
      let text = '';
      for await (const chunk of parent) text += String(chunk);
      parent.destroy();
      return text;
    }

    it('serveExec writes what embedshim reads, byte for byte', async () => {
      const { parent, ended } = wrap(executing('sleep 0.2; exit 3'));
      const messages: string[] = [];
      for await (const chunk of parent) {
        messages.push(String(chunk));
        // It has time to end before it is being watched.
        await deadline(10_000, () => isDead());
        const answer = messages.length === 1 ? 'execPidDone' : 'execStatusDone';
        parent.write(`{"type":"${answer}","pid":0,"exited":false,"exited_status":0}`);
      }
      parent.destroy();
      const pid = readFileSync(pidFile, 'utf8');
      expect(messages).toEqual([
        `{"type":"execPid","pid":${pid},"exited":false,"exited_status":0}`,
        '{"type":"execStatus","pid":0,"exited":true,"exited_status":768}',
      ]);
      expect(await ended).toEqual([0, null]);
    });

    it.each([
      ['garbage', 'garbage', /expected an object/],
      ['a message that is not due', '{"type":"execStatusDone"}', /received execStatusDone/],
      ['a message of its own', '{"type":"execPid","pid":1}', /received execPid/],
    ])(
      'serveExec kills the process and says so when the parent sends %s',
      async (_name, text, reason) => {
        const { parent, ended } = wrap(executing('exec sleep 1000'));
        await once(parent, 'readable');
        parent.write(text);
        const said = await textUntilEnd(parent);
        expect(said).toMatch(/^\{"type":"execPid".*\}\{"type":"error",.*"message":"error: /);
        expect(said).toMatch(reason);
        expect(await ended).toEqual([125, null]);
        expect(isDead()).toBe(true);
      },
    );

    it.each(['before the pid', 'after the pid'])(
      'serveExec kills the process when the parent goes %s',
      async (when) => {
        const { parent, ended } = wrap(executing('exec sleep 1000'));
        if (when === 'after the pid') await once(parent, 'readable');
        parent.destroy();
        expect(await ended).toEqual([125, null]);
        expect(!existsSync(pidFile) || isDead()).toBe(true);
      },
    );

    it('serveExec ends the runtime when the parent goes', async () => {
      const { parent, ended } = wrap(runtime(`printf %s $$ > ${directory}/stays; exec sleep 1000`));
      const stays = join(directory, 'stays');
      await expect.poll(() => existsSync(stays) && readFileSync(stays, 'utf8')).toMatch(/^\d+$/);
      parent.destroy();
      expect(await ended).toEqual([125, null]);
      expect(isDead(Number(readFileSync(stays, 'utf8')))).toBe(true);
    });

    it('serveExec reports a signal like any other failure', async () => {
      const { parent, ended } = wrap(executing('exec sleep 1000'));
      await once(parent, 'readable');
      const [pid] = childPids().filter((one) => !before.includes(one));
      using pidfd = pidfdOpen(pid ?? -1);
      pidfdSendSignal(pidfd, 'SIGTERM');
      expect(await textUntilEnd(parent)).toContain('"message":"error: stopped by SIGTERM"');
      expect(await ended).toEqual([125, null]);
      expect(isDead()).toBe(true);
    });

    it.each([
      [undefined, /is not set/],
      ['', /"" is not the number/],
      ['3x', /"3x" is not the number/],
      ['2', /"2" is not the number/],
      ['99999', /EBADF/],
    ])('serveExec refuses %j as its socket before it does anything', async (value, reason) => {
      const env = { [procSyncVariable]: value };
      await expect(serveExec(['nonsense'], { env })).rejects.toMatchObject({
        code: 'ERR_STORE_EXEC_USAGE',
        message: expect.stringMatching(reason),
      });
    });
  });

  it('nothing is left when all of this is over', () => {
    expect(childPids()).toEqual(before);
  });
});
