import {
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NotRunningError } from '@pilotlight/process-store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CliContext, Host } from '../../context.ts';
import { InterruptedError } from '../../errors.ts';
import { ForwardedSignals, forwardedSignals } from './forwarded-signals.ts';
import { WholeFile } from './whole-file.ts';
import { hasCapability } from './require-privilege.ts';
import { requireTerminalPlace } from './require-terminal-place.ts';
import { subjectOf } from './subject.ts';

const flags = { detach: false, keep: false };

function fakeHost(overrides: Partial<Host> = {}): Host {
  const nowhere = { write: () => undefined };
  return {
    stdout: nowhere,
    stderr: nowhere,
    env: {},
    uid: 0,
    cwd: () => '/usr',
    now: () => new Date(0),
    isTerminal: () => false,
    onSignal: () => () => undefined,
    ...overrides,
  };
}

const context = (host: Host, commandLine?: readonly string[]): CliContext => ({
  process: { stdout: host.stdout, stderr: host.stderr },
  host,
  root: '/nowhere',
  commandLine,
});

/** A host whose signals the test sends. */
function signalHost(): {
  host: Host;
  send: (signal: NodeJS.Signals) => void;
  caught: () => number;
} {
  const listeners = new Map<NodeJS.Signals, () => void>();
  const host = fakeHost({
    onSignal(signal, listener) {
      listeners.set(signal, listener);
      return () => void listeners.delete(signal);
    },
  });
  return { host, send: (signal) => listeners.get(signal)?.(), caught: () => listeners.size };
}

describe('ForwardedSignals', () => {
  it('ends a launch with the first signal', () => {
    const { host, send } = signalHost();
    using signals = new ForwardedSignals(host);
    expect(signals.beforeStart.aborted).toBe(false);
    send('SIGTERM');
    send('SIGINT');
    expect(signals.beforeStart.reason).toBeInstanceOf(InterruptedError);
    expect(signals.beforeStart.reason).toMatchObject({ signalNumber: 15 });
  });

  it('does not end a launch for a signal that stops or continues', () => {
    const { host, send } = signalHost();
    using signals = new ForwardedSignals(host);
    send('SIGCONT');
    expect(signals.beforeStart.aborted).toBe(false);
  });

  it('sends what comes to the program, in order, and first what came before', async () => {
    const { host, send } = signalHost();
    using signals = new ForwardedSignals(host);
    const sent: unknown[] = [];
    send('SIGCONT');
    signals.deliverTo({
      async signal(signal) {
        await new Promise((wake) => setImmediate(wake));
        sent.push(signal);
      },
    });
    send('SIGHUP');
    send('SIGUSR1');
    await signals.delivered();
    expect(sent).toEqual(['SIGCONT', 'SIGHUP', 'SIGUSR1']);
  });

  it('forgives a program that has ended', async () => {
    const { host, send } = signalHost();
    using signals = new ForwardedSignals(host);
    signals.deliverTo({
      async signal(signal) {
        throw new NotRunningError(`send ${signal} to`, 'x', 'it exited');
      },
    });
    send('SIGTERM');
    await expect(signals.delivered()).resolves.toBeUndefined();
  });

  it('catches nothing any more after its disposal', () => {
    const { host, caught } = signalHost();
    const signals = new ForwardedSignals(host);
    expect(caught()).toBe(forwardedSignals.length);
    signals[Symbol.dispose]();
    expect(caught()).toBe(0);
  });
});

describe('forwardedSignals', () => {
  it('has what users send, and not what tells of this process', () => {
    expect(forwardedSignals).toEqual(
      expect.arrayContaining([
        'SIGHUP',
        'SIGINT',
        'SIGQUIT',
        'SIGTERM',
        'SIGUSR1',
        'SIGUSR2',
        'SIGCONT',
        'SIGTSTP',
        'SIGALRM',
      ]),
    );
    for (const signal of [
      'SIGKILL',
      'SIGSTOP',
      'SIGCHLD',
      'SIGURG',
      'SIGPIPE',
      'SIGWINCH',
      'SIGSEGV',
    ]) {
      expect(forwardedSignals).not.toContain(signal);
    }
  });
});

describe('subjectOf', () => {
  it('takes the current directory along, unless the sandbox has its own there', async () => {
    for (const [cwd, inside] of [
      ['/usr', '/usr'],
      ['/tmp/x', '/'],
      ['/run', '/'],
      ['/runway', '/runway'],
      ['/dev/shm', '/'],
    ]) {
      const { spec, bundle } = await subjectOf(
        context(fakeHost({ cwd: () => cwd! }), ['pwd']),
        flags,
        undefined,
      );
      expect([spec.process.cwd, bundle]).toEqual([inside, '/']);
    }
  });

  it('passes on a few variables and has defaults for what programs need', async () => {
    const env = { TERM: 'vt100', SECRET: 'x' };
    const { spec } = await subjectOf(context(fakeHost({ env }), ['env']), flags, undefined);
    expect(spec.process.env).toEqual([expect.stringMatching(/^PATH=\/.*\/bin/), 'TERM=vt100']);
  });

  it('wants a terminal when input and output are one, and nothing is detached', async () => {
    const terminalOf = async (host: Partial<Host>, detach = false): Promise<unknown> =>
      (await subjectOf(context(fakeHost(host), ['sh']), { ...flags, detach }, undefined)).spec
        .process.terminal;
    expect(await terminalOf({ isTerminal: () => true })).toBe(true);
    expect(await terminalOf({ isTerminal: (fd) => fd === 0 })).toBe(false);
    expect(await terminalOf({ isTerminal: () => true }, true)).toBe(false);
  });

  it.each([
    [undefined, undefined, {}, /expected an ID/],
    [[], undefined, {}, /no command after --/],
    [['true'], undefined, { bundle: '/x' }, /exclude each other/],
  ])('refuses command line %j with id %s and flags %j', async (commandLine, id, more, message) => {
    await expect(
      subjectOf(context(fakeHost(), commandLine), { ...flags, ...more }, id),
    ).rejects.toThrow(message);
  });
});

describe('requireTerminalPlace', () => {
  const host = (terminal: boolean): Host => fakeHost({ isTerminal: () => terminal });

  it.each([
    ['a detached terminal without a socket', true, true, undefined, true, /nobody would hold/],
    ['a socket in the foreground', true, false, '/s', true, /only for a detached/],
    ['a socket without a terminal', true, true, '/s', false, /only for a detached/],
    ['a terminal on a pipe', false, false, undefined, true, /is no terminal/],
  ])('refuses %s', (_name, isTerminal, detach, consoleSocket, terminal, message) => {
    expect(() =>
      requireTerminalPlace(host(isTerminal), { detach, consoleSocket }, terminal),
    ).toThrow(message);
  });

  it('lets the monitor hold the terminal of a program with a log or restarts, and nobody else', () => {
    const options = { log: { driver: 'none' } } as const;
    requireTerminalPlace(host(false), { detach: true }, true, options);
    requireTerminalPlace(host(false), { detach: true }, true, { restart: { name: 'always' } });
    expect(() =>
      requireTerminalPlace(host(false), { detach: true, consoleSocket: '/s' }, true, options),
    ).toThrow(/takes the terminal away/);
    expect(() =>
      requireTerminalPlace(host(false), { detach: true }, true, { restart: { name: 'no' } }),
    ).toThrow(/nobody would hold/);
  });

  it('accepts a terminal in a terminal, a detached one with a socket, and none at all', () => {
    requireTerminalPlace(host(true), { detach: false }, true);
    requireTerminalPlace(host(false), { detach: true, consoleSocket: '/s' }, true);
    expect(requireTerminalPlace(host(false), { detach: false }, false)).toBeUndefined();
  });
});

describe('hasCapability', () => {
  it('reads the effective set of /proc/pid/status', () => {
    const status = 'CapPrm:\t000001ffffffffff\nCapEff:\t0000000000200000\n';
    expect(hasCapability(status, 21n)).toBe(true);
    expect(hasCapability(status, 20n)).toBe(false);
    expect(hasCapability('', 21n)).toBe(false);
  });
});

describe('WholeFile', () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'whole-file-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  async function write(path: string, text: string): Promise<void> {
    await using file = await WholeFile.create('pid file', path);
    await file.write(text);
  }

  it('writes the bare number, replaces an old file, and leaves no other one', async () => {
    const path = join(directory, 'pid');
    await write(path, '12');
    await write(path, '345');
    expect(readFileSync(path, 'utf8')).toBe('345');
    expect(readdirSync(directory)).toEqual(['pid']);
  });

  it('leaves nothing when nothing was written', async () => {
    {
      await using _file = await WholeFile.create('pid file', join(directory, 'pid'));
    }
    expect(readdirSync(directory)).toEqual([]);
  });

  it('names the file that cannot be written', async () => {
    await expect(write(join(directory, 'no', 'pid'), '1')).rejects.toThrow(
      /write the pid file .*\/no\/pid: ENOENT \(no such file/,
    );
  });

  it('follows no link that somebody planted, and spares the files beside it', async () => {
    const victim = join(directory, 'victim');
    writeFileSync(victim, 'precious');
    symlinkSync(victim, join(directory, '.pid'));
    symlinkSync(victim, join(directory, 'link'));
    await write(join(directory, 'pid'), '1');
    await expect(write(join(directory, 'link'), '1')).rejects.toThrow('it is no regular file');
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    expect(readdirSync(directory).toSorted()).toEqual(['.pid', 'link', 'pid', 'victim']);
  });

  it('replaces no device', async () => {
    await expect(write('/dev/null', '1')).rejects.toThrow('it is no regular file');
  });
});
