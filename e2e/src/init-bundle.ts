// A bundle made on the spot from busybox, and what launches of it must not leave behind.
import { deepStrictEqual } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  type Dirent,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  launch,
  type LaunchOptions,
  type OciSpec,
  seccompFeatures,
  stockSpec,
  isLaunchError,
  type LaunchError,
} from '@pilotlight/init';
import type { WaitStatus } from '@pilotlight/scm-rights';
import { listOpenFds } from '@pilotlight/scm-rights/testing';

const busybox = '/bin/busybox';

function isStatic(program: string): boolean {
  // PT_INTERP is what a program that needs shared libraries has.
  return existsSync(program) && !readFileSync(program).includes('/lib64/ld-linux-x86-64.so');
}

const inPath = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(':').some((path) => existsSync(join(path, program)));

const needs: Readonly<Record<string, () => boolean>> = {
  root: () => process.getuid?.() === 0,
  'busybox-static': () => isStatic(busybox),
  runc: () => inPath('runc'),
  gcc: () => inPath('gcc'),
  uidmap: () => inPath('newuidmap') && inPath('newgidmap'),
  libseccomp2: () => seccompFeatures().enabled,
};

/** What of `names` this machine lacks, for the title of a group of tests that is skipped then; empty when nothing is missing. */
export function missing(...names: string[]): string {
  const lacking = names.filter((name) => needs[name]?.() !== true);
  return lacking.length === 0 ? '' : ` (needs ${lacking.join(', ')})`;
}

const prefix = `init-e2e-${process.pid}-`;
let launches = 0;

/** An id that no other test has. */
export const newId = (): string => `${prefix}${++launches}`;

export type BusyboxBundle = { path: string; rootfs: string; remove(): void };

export function makeBundle(): BusyboxBundle {
  const path = mkdtempSync(join(tmpdir(), prefix));
  const rootfs = join(path, 'rootfs');
  for (const directory of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp', 'data', 'home/user']) {
    mkdirSync(join(rootfs, directory), { recursive: true });
  }
  copyFileSync(busybox, join(rootfs, 'bin/busybox'));
  for (const applet of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n')) {
    if (applet !== 'busybox') symlinkSync('busybox', join(rootfs, 'bin', applet));
  }
  writeFileSync(
    join(rootfs, 'etc/passwd'),
    'root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n',
  );
  return { path, rootfs, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export type Change = (spec: OciSpec) => void;

/** The stock specification without a terminal, running a command of the shell. */
export function shellSpec(script: string, change: Change = () => {}): OciSpec {
  const spec = stockSpec();
  spec.process.terminal = false;
  spec.process.args = ['sh', '-c', script];
  change(spec);
  return spec;
}

export type Outcome = { status: WaitStatus; stdout: string; stderr: string };

/** Launches and reads everything that the program says. */
export async function runIn(
  bundle: BusyboxBundle,
  script: string,
  change?: Change,
  options: LaunchOptions = {},
): Promise<Outcome> {
  const process = await launch(
    { id: newId(), spec: shellSpec(script, change), bundle: bundle.path },
    { stdio: ['ignore', 'pipe', 'pipe'], ...options },
  );
  const [status, stdout, stderr] = await Promise.all([
    process.exited,
    textOf(process.stdout),
    textOf(process.stderr),
  ]);
  return { status, stdout, stderr };
}

export async function textOf(stream: AsyncIterable<Buffer> | null): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream ?? []) parts.push(part);
  return Buffer.concat(parts).toString();
}

/** Processes whose parent is `pid`; proc_pid_task(5). */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
        .split(' ')
        .filter(Boolean)
        .map(Number),
    );
  } catch {
    // It has ended.
    return [];
  }
}

/** Cgroups of this process's launches; other processes make and remove theirs meanwhile. */
function cgroupDirectories(directory = '/sys/fs/cgroup'): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => {
      const path = join(directory, name);
      return [...(name.startsWith(prefix) ? [path] : []), ...cgroupDirectories(path)];
    });
}

/** What a launch fails with that is to fail. */
export async function launchFailure(launching: Promise<unknown>): Promise<LaunchError> {
  try {
    await launching;
  } catch (error) {
    if (isLaunchError(error)) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

export type Belongings = {
  fds: string[];
  mounts: string[];
  cgroups: string[];
  /** Of this process's children, which are the zygotes. */
  grandchildren: number[];
};

/** What this process holds of the system that launches take and must give back. */
export function belongings(): Belongings {
  let epollSets = 0;
  return {
    fds: [...listOpenFds()].map(([fd, target]) =>
      // The one that all waits share may be made anew, under another number: they are counted.
      target === 'anon_inode:[eventpoll]' ? `${++epollSets}. ${target}` : `${fd} ${target}`,
    ),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(prefix)),
    cgroups: cgroupDirectories(),
    grandchildren: childrenOf(process.pid).flatMap((child) => childrenOf(child)),
  };
}

/** What is there now and was not before, once everything had the time to go. */
export async function leftovers(before: Belongings): Promise<Belongings> {
  for (let attempt = 0; ; attempt++) {
    const now = belongings();
    const extra: Belongings = {
      fds: now.fds.filter((fd) => !before.fds.includes(fd)),
      mounts: now.mounts.filter((mount) => !before.mounts.includes(mount)),
      cgroups: now.cgroups.filter((cgroup) => !before.cgroups.includes(cgroup)),
      grandchildren: now.grandchildren.filter((child) => !before.grandchildren.includes(child)),
    };
    if (attempt === 50 || Object.values(extra).every((list) => list.length === 0)) return extra;
    // Streams close, and cgroups are removed, a moment after a process has ended.
    await sleep(20);
  }
}

export const nothing: Belongings = { fds: [], mounts: [], cgroups: [], grandchildren: [] };

/** Fails when something of `before`'s kinds is there that was not. */
export async function requireNothingLeft(before: Belongings): Promise<void> {
  deepStrictEqual(await leftovers(before), nothing);
}
