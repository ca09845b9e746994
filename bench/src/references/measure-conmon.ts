import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { meanMemory } from '../measure/memory.ts';
import { findPrograms, type SearchPath } from './find-programs.ts';
import type { Reference } from './reference.ts';
import { makeSleepingBundle } from './sleeping-bundle.ts';

const NAME = 'conmon';
const SETTLE_MS = 1000;

/** Containers of runc that each have a conmon; all are removed at the end. */
export async function measureConmon(
  path: SearchPath,
  directory: string,
  count: number,
): Promise<Reference> {
  if (process.geteuid?.() !== 0) return { name: NAME, skipped: 'needs root' };
  const found = findPrograms(path, NAME, 'runc');
  if ('missing' in found) return { name: NAME, skipped: `needs ${found.missing}` };
  const [conmon, runc] = found.files as [string, string];
  const place = join(directory, NAME);
  const [bundle, root] = [join(place, 'bundle'), join(place, 'root')];
  mkdirSync(bundle, { recursive: true });
  makeSleepingBundle(bundle);
  const ids = Array.from({ length: count }, (_, index) => `bench-${process.pid}-${index}`);
  const made: string[] = [];
  try {
    for (const id of ids) {
      made.push(id);
      startOne({ conmon, runc, place, bundle, root, id });
    }
    await sleep(SETTLE_MS);
    const pids = ids.map((id) => Number(readFileSync(join(place, `${id}.conmon`), 'utf8')));
    const version = execFileSync(conmon, ['--version'], { encoding: 'utf8' });
    return {
      name: NAME,
      version: /\d+\.\d+\.\d+/.exec(version)?.[0] ?? 'of no version',
      containers: count,
      mean: meanMemory(pids),
    };
  } finally {
    // Its conmon ends with the container.
    for (const id of made) remove(runc, root, id);
  }
}

interface One {
  conmon: string;
  runc: string;
  place: string;
  bundle: string;
  root: string;
  id: string;
}

function startOne({ conmon, runc, place, bundle, root, id }: One): void {
  const file = (kind: string): string => join(place, `${id}.${kind}`);
  // What Podman gives it, but for the files of its own.
  const flags: Readonly<Record<string, string>> = {
    '--api-version': '1',
    '--cid': id,
    '--cuuid': id,
    '--name': id,
    '--runtime': runc,
    '--bundle': bundle,
    '--container-pidfile': file('pid'),
    '--conmon-pidfile': file('conmon'),
    '--exit-dir': place,
    '--socket-dir-path': place,
    '--log-path': `k8s-file:${file('log')}`,
  };
  const runtimeArgs = ['--runtime-arg', '--root', '--runtime-arg', root];
  execFileSync(conmon, [...Object.entries(flags).flat(), ...runtimeArgs, '--full-attach'], {
    stdio: 'ignore',
  });
  // It goes on in the background, and makes the container.
  execFileSync('sh', ['-c', `until [ -s "$0" ]; do sleep 0.01; done`, file('pid')], {
    timeout: 10_000,
  });
  execFileSync(runc, ['--root', root, 'start', id], { stdio: 'ignore' });
}

function remove(runc: string, root: string, id: string): void {
  try {
    execFileSync(runc, ['--root', root, 'delete', '--force', id], { stdio: 'ignore' });
  } catch {
    // It was never made.
  }
}
