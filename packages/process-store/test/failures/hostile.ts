import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { hostRootSpec } from '@pilotlight/init';
import { probePidfd } from '@pilotlight/scm-rights';
import { listOpenFds } from '@pilotlight/scm-rights/testing';
import {
  isStoreError,
  type LaunchRequest,
  openStore,
  type OpenStoreOptions,
  type ProcessStore,
} from '../../src/index.ts';
import { gatedLauncher } from '../gated-launcher.ts';
import { isRoot } from '../is-root.ts';
import { Scratch } from '../scratch.ts';
import { specOf } from '../spec-of.ts';

/** Forces tier D. */
export const tierD: OpenStoreOptions = { tier: 'D' };

/** Both tiers, as far as this machine has them. */
export const tiers: { tier: 'A' | 'D'; options: OpenStoreOptions }[] = [
  { tier: 'D', options: tierD },
  ...(isRoot && (await probePidfd()).pins ? [{ tier: 'A' as const, options: {} }] : []),
];

export const sleeper: LaunchRequest = { spec: specOf('sleep', '1000'), bundle: '/' };
export const short: LaunchRequest = { spec: specOf('sh', '-c', 'exit 7'), bundle: '/' };

/** Ends with 7 as soon as the file is there. */
export function untilFile(path: string): LaunchRequest {
  return {
    spec: specOf('sh', '-c', `until [ -e '${path}' ]; do sleep 0.01; done; exit 7`),
    bundle: '/',
  };
}

/**
 * Ends with 7 when its standard input gives it a line; for the launcher of @pilotlight/init, which makes namespaces and is
 * told when to reap.
 */
export const untilLine: LaunchRequest = {
  spec: hostRootSpec({ args: ['sh', '-c', 'read line; exit 7'] }),
  bundle: '/',
  stdio: ['pipe', 'ignore', 'ignore'],
};

export const noStdio: NonNullable<LaunchRequest['stdio']> = ['ignore', 'ignore', 'ignore'];

export async function open(root: string, options: OpenStoreOptions = {}): Promise<ProcessStore> {
  return openStore(root, { launcher: gatedLauncher, ...options });
}

/** What a promise rejects with; fails if it does not. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  const outcome = await promise.then(
    () => new Error('it succeeded'),
    (error: unknown) => error as Error,
  );
  return outcome;
}

/** The code of a failure that also says what to do; else the failure itself. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  const failure = await failureOf(promise);
  return isStoreError(failure) && failure.hint !== '' ? failure.code : failure;
}

/** Changes a file of a record that we would never change. */
export function forge(root: string, id: string, name: string, change: object): void {
  const path = join(root, 'p', id, name);
  const record = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...record, ...change }));
}

/** What is in the folder of a record. */
export function filesOf(scratch: Scratch, id: string): string[] {
  return scratch.files().filter((name) => name.startsWith(`root/p/${id}/`));
}

/** Whether a process of that pid exists and is no zombie. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !'ZX'.includes(stat.slice(stat.lastIndexOf(')') + 2)[0]!);
  } catch {
    return false;
  }
}

/** Version 2, or one hierarchy of version 1. */
export function cgroupMount(): string {
  const mounts = ['/sys/fs/cgroup', '/sys/fs/cgroup/pids', '/sys/fs/cgroup/unified'];
  return mounts.find((path) => existsSync(join(path, 'cgroup.procs')))!;
}

/** Runs a program and requires that it succeeds. */
export function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}

/** What counts as left behind: descriptors, and mounts and files under a scratch directory. */
export class Leaks {
  readonly #before: Map<number, string>;

  /** Opens first what stays open: libc and the epoll set of this process, and the zygote of @pilotlight/init. */
  static async watch(): Promise<Leaks> {
    using scratch = new Scratch();
    for (const launcher of isRoot ? [gatedLauncher, undefined] : [gatedLauncher]) {
      await using store = await openStore(scratch.root, {
        ...tierD,
        ...(launcher && { launcher }),
      });
      const spec = launcher === undefined ? untilLine.spec : short.spec;
      const launched = await store.launch({ spec, bundle: '/', id: 'warm', stdio: noStdio });
      await launched.wait();
      await launched.remove();
    }
    return new Leaks();
  }

  private constructor() {
    this.#before = listOpenFds();
  }

  /** The descriptors that were not open at first. */
  found(): string[] {
    return [...listOpenFds()].filter(([fd]) => !this.#before.has(fd)).map(([, what]) => what);
  }
}

const worker = fileURLToPath(new URL('store-worker.ts', import.meta.url));

/** What a worker program is asked to do. */
export interface Task {
  root: string;
  tier: 'A' | 'D';
  action: 'launch' | 'wait' | 'delete' | 'delete with force' | 'cycle';
  id: string;
}

/** What it says came of it. */
export interface Report {
  ok?: unknown;
  code?: string;
  message?: string;
}

/** Another program that uses stores; see store-worker.ts. Disposing ends it. */
export class Worker implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor() {
    this.#child = spawn(
      process.execPath,
      ['--conditions=@pilotlight/source', '--no-warnings', worker],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    this.#lines = lines(this.#child.stdout);
  }

  /** The next thing it says. */
  async next(): Promise<Report> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the worker ended without a word');
    return JSON.parse(value) as Report;
  }

  ask(task: Task): void {
    this.#child.stdin.write(`${JSON.stringify(task)}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      await once(this.#child, 'exit');
    }
  }
}

async function* lines(stream: Readable): AsyncGenerator<string> {
  let rest = '';
  for await (const part of stream) {
    const parts = (rest + String(part)).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
  }
}
