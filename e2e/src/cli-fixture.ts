import { deepStrictEqual } from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type OciSpec, stockSpec } from '@pilotlight/init';

/** The launcher of the repository, as other programs are configured with it. */
export const launcher: string = fileURLToPath(new URL('../../bin/pilotlight', import.meta.url));

export const isRoot: boolean = process.geteuid?.() === 0;
export const hasRunc: boolean = spawnSync('runc', ['--version']).status === 0;
export const hasPython: boolean = spawnSync('python3', ['-c', 'import pty, ctypes']).status === 0;
const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((file) => existsSync(file));
export const hasBusybox: boolean = busybox !== undefined;

/** ` (skipped: needs …)` for the name of a suite, empty if nothing is missing. */
export function missing(needs: Record<string, boolean>): string {
  const names = Object.entries(needs)
    .filter(([, there]) => !there)
    .map(([name]) => name);
  return names.length === 0 ? '' : ` (skipped: needs ${names.join(', ')})`;
}

/** How a program ended, and what it wrote. */
export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A program under way. */
export interface Running {
  pid: number;
  outcome: Promise<Outcome>;
  /** Resolves when its output contains the text. */
  says: (text: string) => Promise<void>;
  signal: (signal: NodeJS.Signals) => void;
  write: (text: string) => void;
}

interface StartOptions {
  input?: string;
  env?: Record<string, string>;
  cwd?: string;
  uid?: number;
  gid?: number;
}

/** Starts a program without a terminal. Its input stays open unless given. */
export function start(
  command: string,
  args: readonly string[],
  options: StartOptions = {},
): Running {
  const { input, ...rest } = options;
  const child = spawn(command, args, { ...rest, stdio: 'pipe' });
  let [stdout, stderr] = ['', ''];
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text));
  child.stdin.on('error', () => undefined);
  child.once('close', (code) => resolve({ code, stdout, stderr }));
  if (input !== undefined) child.stdin.end(input);
  return {
    pid: child.pid ?? -1,
    outcome: promise,
    signal: (signal) => void child.kill(signal),
    write: (text) => void child.stdin.write(text),
    async says(text) {
      while (!stdout.includes(text)) {
        const ended = await Promise.race([
          promise,
          new Promise<undefined>((wake) => child.stdout.once('data', () => wake(undefined))),
        ]);
        if (ended !== undefined && !stdout.includes(text)) {
          throw new Error(`ended without saying ${text}: ${JSON.stringify(ended)}`);
        }
      }
    },
  };
}

/** Runs a program to its end. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<Outcome> {
  return start(command, args, { input: '', ...options }).outcome;
}

let count = 0;

/** A directory with a store root in it, ids that nobody else uses, and a check that nothing stays behind. */
export class Scratch {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'pilotlight-cli-'));
  readonly root: string = join(this.directory, 'store');
  readonly #prefix = `cli-e2e-${process.pid}-`;

  /** A fresh id. */
  id(): string {
    return `${this.#prefix}${count++}`;
  }

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  start(args: readonly string[], options?: StartOptions): Running {
    return start(launcher, ['--root', this.root, ...args], options);
  }

  async run(args: readonly string[], options?: StartOptions): Promise<Outcome> {
    return runProgram(launcher, ['--root', this.root, ...args], options);
  }

  /** With streams that nobody waits for: what is detached would hold them open. */
  detach(args: readonly string[]): number | null {
    return spawnSync(launcher, ['--root', this.root, 'run', '--detach', ...args], {
      stdio: 'ignore',
    }).status;
  }

  /** A bundle of busybox that runs this line of shell, with the stock specification after `change`. */
  bundle(script: string, change: (spec: OciSpec) => void = () => undefined): string {
    const path = this.path(`bundle-${count++}`);
    const bin = join(path, 'rootfs', 'bin');
    mkdirSync(bin, { recursive: true });
    if (busybox !== undefined) copyFileSync(busybox, join(bin, 'busybox'));
    const applets = 'sh sleep cat id hostname ps ls true sed grep sort stty tty head';
    for (const applet of applets.split(' ')) symlinkSync('busybox', join(bin, applet));
    const spec = stockSpec();
    spec.process.terminal = false;
    spec.process.args = ['sh', '-c', script];
    change(spec);
    writeFileSync(join(path, 'config.json'), JSON.stringify(spec));
    return path;
  }

  /** Mounts, cgroups, processes and files of the store that are still there. */
  leftovers(): string[] {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(this.directory));
    const cgroups = globSync(`/sys/fs/cgroup/**/${this.#prefix}*`);
    const processes = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .filter((pid) => commandLineOf(pid).includes(this.directory));
    const files = existsSync(this.root) ? [this.root, ...readdirSync(this.root)] : [];
    return [
      ...mounts,
      ...cgroups,
      ...processes.map((pid) => `process ${pid}: ${commandLineOf(pid)}`),
      ...files,
    ];
  }

  /** Throws if a test left anything behind. */
  requireEmpty(): void {
    deepStrictEqual(this.leftovers(), []);
  }

  remove(): void {
    const ids = spawnSync(launcher, ['--root', this.root, 'list', '-q'], { encoding: 'utf8' });
    for (const id of ids.stdout.split('\n').filter((line) => line !== '')) {
      spawnSync(launcher, ['--root', this.root, 'delete', '-f', id]);
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
