// One specification under ours, under runc and under crun.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  isLaunchError,
  launch,
  type OciSpec,
  readHierarchies,
  removeCgroup,
} from '@pilotlight/init';
import { type BusyboxBundle, makeBundle, newId, textOf } from '../init-bundle.ts';
import { type Observation, parseProbe } from './probe.ts';

export type Outcome = {
  /** `exited 7`, `signaled 9`; `failed` where the program never ran. */
  end: string;
  /** Undefined where the program never ran. */
  seen: Observation | undefined;
  /** What else was said: why it failed. */
  said: string;
  id: string;
};

export type Runtime = {
  name: 'ours' | 'runc' | 'crun';
  /** A bundle that only this runtime changes. */
  bundle: BusyboxBundle;
  run(spec: OciSpec): Promise<Outcome>;
  /** Whatever is left of its containers; empty. */
  leftovers(): string[];
};

const onPath = (name: string): boolean =>
  (process.env['PATH'] ?? '').split(':').some((path) => existsSync(join(path, name)));

/** Whether crun is here, and a version of the hierarchy that it takes can be shown to it. */
export const hasCrun = (): boolean => onPath('crun');

/** What the references inherit: Node raises its own soft limit of open files to the hard one. */
const nofileSoft = Number(
  /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1],
);

export function ours(): Runtime {
  const bundle = makeBundle();
  return {
    name: 'ours',
    bundle,
    async run(spec) {
      const id = newId();
      prepareBundle(bundle);
      try {
        const launched = await launch(
          { id, spec, bundle: bundle.path },
          { stdio: ['ignore', 'pipe', 'pipe'], nofileSoft },
        );
        const [status, stdout, stderr] = await Promise.all([
          launched.exited,
          textOf(launched.stdout),
          textOf(launched.stderr),
        ]);
        const end = status.signal === null ? `exited ${status.code}` : `signaled ${status.signal}`;
        return { end, seen: parseProbe(stdout), said: stderr, id };
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        const said = isLaunchError(error) ? `${error.step}: ${error.message}` : error.message;
        return { end: 'failed', seen: undefined, said, id };
      }
    },
    leftovers: () => [],
  };
}

export const runc = (): Runtime => reference('runc', (args) => ['runc', args]);

/** crun takes no hybrid layout: a private mount namespace hides the v2 part of it. */
export const crun = (): Runtime =>
  reference('crun', (args) => [
    'unshare',
    [
      '--mount',
      '/bin/sh',
      '-c',
      'if [ -d /sys/fs/cgroup/unified ]; then umount /sys/fs/cgroup/unified; fi; exec crun --cgroup-manager=cgroupfs "$@"',
      'crun',
      ...args,
    ],
  ]);

function reference(
  name: 'runc' | 'crun',
  command: (args: string[]) => [program: string, args: string[]],
): Runtime {
  const bundle = makeBundle();
  const state = join(bundle.path, 'state');
  return {
    name,
    bundle,
    async run(spec) {
      const id = newId();
      prepareBundle(bundle);
      writeFileSync(join(bundle.path, 'config.json'), toJson(spec));
      const [program, args] = command(['--root', state, 'run', '--bundle', bundle.path, id]);
      // Never the host's /dev/null: crun gives what is on its streams to the container's user.
      const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
      child.stdin.end();
      const closed = once(child, 'close') as Promise<[number | null, string | null]>;
      const [stdout, said] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
      const [code, signal] = await closed;
      const seen = parseProbe(stdout);
      // runc and crun say 128 + n for a signal, and so do shells: the two cannot be told apart.
      const end = code === null ? `killed by ${signal}` : `exited ${code}`;
      // crun leaves the cgroups of a container that it could not start.
      if (seen === undefined) await removeCgroup(cgroupsOf(spec.linux?.cgroupsPath ?? id));
      return { end: seen === undefined ? 'failed' : end, seen, said, id };
    },
    leftovers: () => (existsSync(state) ? readdirSync(state) : []),
  };
}

/** Where a reference may have put a container. */
const cgroupsOf = (path: string): string[] =>
  readHierarchies().flatMap(({ mountpoint, ownPath }) => [
    join(mountpoint, path),
    join(mountpoint, ownPath, path),
  ]);

const toJson = (spec: OciSpec): string =>
  // JSON.rawJSON writes 64-bit numbers as they are.
  JSON.stringify(spec, (_, value: unknown) =>
    typeof value === 'bigint' ? rawJson(String(value)) : value,
  );

/** Node has it since 22, and TypeScript's library not yet. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON: (text: string) => unknown };

/** Every run starts from the same files, whatever the last one wrote. */
function prepareBundle({ path, rootfs }: BusyboxBundle): void {
  // A user namespace's root must reach it.
  chmodSync(path, 0o755);
  for (const directory of ['data', 'made', 'tmp', 'home']) {
    rmSync(join(rootfs, directory), { recursive: true, force: true });
  }
  for (const directory of ['data', 'tmp', 'home/user']) {
    mkdirSync(join(rootfs, directory), { recursive: true });
  }
  writeFileSync(join(rootfs, 'data/file'), 'of the root');
  rmSync(join(path, 'outside'), { recursive: true, force: true });
  mkdirSync(join(path, 'outside/inner'), { recursive: true });
  writeFileSync(join(path, 'outside/file'), 'from outside');
}
