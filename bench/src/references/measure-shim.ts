import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { meanMemory } from '../measure/memory.ts';
import { findPrograms, ownSearchPath, type SearchPath } from './find-programs.ts';
import type { Reference } from './reference.ts';
import { makeSleepingBundle } from './sleeping-bundle.ts';

const NAME = 'containerd-shim-runc-v2';
const START_MS = 20_000;
const SETTLE_MS = 2000;

/** Containers of a containerd of our own, each with its shim; containerd and all of them are ended at the end. */
export async function measureShim(
  path: SearchPath,
  directory: string,
  count: number,
): Promise<Reference> {
  if (process.geteuid?.() !== 0) return { name: NAME, skipped: 'needs root' };
  const found = findPrograms(path, 'containerd', NAME, 'ctr', 'runc');
  if ('missing' in found) return { name: NAME, skipped: `needs ${found.missing}` };
  const [containerd, shim, ctr] = found.files as [string, string, string];
  const place = join(directory, 'containerd');
  mkdirSync(join(place, 'bundle'), { recursive: true });
  const rootfs = makeSleepingBundle(join(place, 'bundle'));
  const address = join(place, 'containerd.sock');
  const daemon = startDaemon(containerd, dirname(shim), place, address);
  const namespace = `bench-${process.pid}`;
  const run = (...args: string[]): string =>
    execFileSync(ctr, ['--address', address, '--namespace', namespace, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const ids = Array.from({ length: count }, (_, index) => `bench-${index}`);
  try {
    await untilItAnswers(run, daemon);
    for (const id of ids) run('run', '--detach', '--rootfs', rootfs, id, '/bin/sleep', '1000000');
    await sleep(SETTLE_MS);
    const pids = shimsOf(address);
    if (pids.length !== count) throw new Error(`${pids.length} shims for ${count} containers`);
    return {
      name: NAME,
      version: /\d+\.\d+\.\d+/.exec(run('version'))?.[0] ?? 'of no version',
      containers: count,
      mean: meanMemory(pids),
    };
  } finally {
    for (const id of ids) {
      try {
        run('task', 'rm', '--force', id);
        run('container', 'rm', id);
      } catch {
        // It was never made.
      }
    }
    await stop(daemon);
  }
}

function startDaemon(
  containerd: string,
  programs: string,
  place: string,
  address: string,
): ChildProcess {
  const config = join(place, 'config.toml');
  const [root, state] = [join(place, 'root'), join(place, 'state')];
  writeFileSync(
    config,
    `version = 2
root = ${JSON.stringify(root)}
state = ${JSON.stringify(state)}
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
address = ${JSON.stringify(address)}
`,
  );
  return spawn(containerd, ['--config', config], {
    stdio: 'ignore',
    // It looks for its shims there.
    env: { PATH: [programs, ...ownSearchPath()].join(delimiter) },
  });
}

async function untilItAnswers(
  run: (...args: string[]) => string,
  daemon: ChildProcess,
): Promise<void> {
  const until = performance.now() + START_MS;
  for (;;) {
    try {
      run('version');
      return;
    } catch (error) {
      if (daemon.exitCode !== null || performance.now() > until) throw error;
      await sleep(50);
    }
  }
}

/** Those that talk to this containerd. */
function shimsOf(address: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const file = `/proc/${pid}/cmdline`;
      if (!existsSync(file)) return false;
      try {
        const words = readFileSync(file, 'utf8').split('\0');
        return words[0]?.endsWith(NAME) === true && words.includes(address);
      } catch {
        return false;
      }
    });
}

async function stop(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const ended = once(daemon, 'exit');
  daemon.kill('SIGTERM');
  await ended;
}
