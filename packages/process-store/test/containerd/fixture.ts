import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { hostRootSpec, type OciSpec } from '@pilotlight/init';
import { mkfifo } from '@pilotlight/scm-rights';
import { openStore } from '../../src/index.ts';
import type { StdioPaths } from '../../src/containerd/process-json.ts';
import { Scratch } from '../scratch.ts';

export interface Supervisor {
  /** By SIGKILL; resolves when it is gone. */
  kill: () => Promise<void>;
}

/** A store and a state root in a scratch directory, and shell commands that work in it. */
export class Fixture implements AsyncDisposable {
  readonly scratch: Scratch = new Scratch();
  readonly stateRoot: string = join(this.scratch.path, 'state');
  readonly bundle: string = join(this.scratch.path, 'bundle');
  readonly store: Awaited<ReturnType<typeof openStore>>;

  private constructor(store: Fixture['store']) {
    this.store = store;
  }

  static async open(): Promise<Fixture> {
    const fixture = new Fixture(undefined as never);
    mkdirSync(fixture.bundle);
    const store = await openStore(fixture.scratch.root);
    return Object.assign(fixture, { store });
  }

  /** Fifos as a client makes them; what is not named is absent. */
  fifos(...names: (keyof StdioPaths)[]): Partial<StdioPaths> {
    const paths: Partial<StdioPaths> = {};
    for (const name of names) {
      paths[name] = join(this.scratch.path, name);
      mkfifo(paths[name]);
    }
    return paths;
  }

  /** A file of a process. */
  path(name: string, id = 'init', container = 'box'): string {
    return join(this.stateRoot, container, id, name);
  }

  read(name: string, id = 'init'): string {
    return readFileSync(this.path(name, id), 'utf8');
  }

  /** Runs a script in the folder of the process; its output. */
  async sh(script: string, id = 'init'): Promise<string> {
    return this.shell(script, join(this.stateRoot, 'box', id));
  }

  /** Runs a script; its output. */
  async shell(script: string, cwd = '/'): Promise<string> {
    const child = spawn('timeout', ['30', 'sh', '-euc', script], {
      cwd,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, SCRATCH: this.scratch.path },
    });
    const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
    if (child.exitCode !== 0)
      throw new Error(`${script}: exited with ${child.exitCode}: ${output}`);
    return output;
  }

  /** Another program that starts `box` and supervises it; resolves when it has, or has killed itself at `step`. */
  async supervisor(
    script: string,
    stdio: Partial<StdioPaths> = {},
    step = '',
  ): Promise<Supervisor> {
    const program = fileURLToPath(new URL('supervisor.ts', import.meta.url));
    const { root } = this.scratch;
    const args = [root, this.stateRoot, this.bundle, JSON.stringify(stdio), script, step];
    const flags = ['--conditions=@pilotlight/source', '--no-warnings'];
    const child = spawn(process.execPath, [...flags, program, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    await Promise.race([once(child.stdout, 'data'), ended]);
    return {
      kill: async () => {
        child.kill('SIGKILL');
        await ended;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { key } of (await this.store.list()).processes) {
      // What was executed in a container goes with it.
      if (!key.includes('/')) await this.store.remove(key, { force: true });
    }
    await this.store[Symbol.asyncDispose]();
    this.scratch[Symbol.dispose]();
  }
}

/** A sandbox on the root file system that runs a script. */
export function scriptSpec(script: string, options: { terminal?: boolean } = {}): OciSpec {
  return hostRootSpec({ args: ['sh', '-c', script], ...options });
}

/** A process of a script, for an exec. */
export function scriptProcess(script: string): OciSpec['process'] {
  return { args: ['sh', '-c', script], cwd: '/', env: ['PATH=/usr/bin:/bin'] };
}
