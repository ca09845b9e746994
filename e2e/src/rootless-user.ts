// A user without rights, with sub-ids, in a mount namespace in which /etc says so: the machine's own
// files stay as they are.
import { execFile, execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll } from 'vitest';
import { type BusyboxBundle, makeBundle, newId } from './init-bundle.ts';

const run = promisify(execFile);
export const rootlessUid = 42_420;
export const rootlessGid = 42_421;
/** Where the user's sub-ids begin. */
export const subUid = 300_000;
export const subGid = 400_000;
const name = 'pilot';

/** A package as it is published: not every Node can run its sources. */
const builtOf = (source: string): string => fileURLToPath(new URL('../dist/index.js', source));
const init = builtOf(import.meta.resolve('@pilotlight/init'));
const scmRights = builtOf(import.meta.resolve('@pilotlight/scm-rights'));
const path = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin';

/** What this machine lacks for a user like this, beside what `missing` knows. */
export async function rootlessNeeds(): Promise<string> {
  if (!existsSync('/etc/subuid') || !existsSync('/etc/subgid')) return ' (needs /etc/subuid)';
  const user = { uid: rootlessUid, gid: rootlessGid, cwd: '/' };
  return run(process.execPath, ['--check', init], user).then(
    () => '',
    () => ' (needs a checkout and a Node that everybody can read)',
  );
}

export type RootlessRun = {
  /** PATH of the program. */
  path?: string;
  /** The user's lines of /etc/subuid and /etc/subgid; default: 65536 ids in each. */
  subIds?: string;
  /** Shell commands that root runs first in the mount namespace; `$BUNDLE` is the bundle. */
  before?: string;
  /** What starts the program; default: the program itself. */
  wrapper?: readonly string[];
};

export type RootlessUser = BusyboxBundle & {
  /** Runs a program with the names of `prelude` as that user, and returns the JSON that it prints. */
  runProgram<T>(body: string, options?: RootlessRun): Promise<T>;
  /** Runs a command as that user. */
  runCommand(
    command: readonly string[],
    options?: RootlessRun,
  ): Promise<{ stdout: string; stderr: string }>;
};

/** The names that a program has beside those of the library. */
const prelude = (bundle: string): string => `
  import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
  import { spawn } from 'node:child_process';
  import { setTimeout as sleep } from 'node:timers/promises';
  import * as init from ${JSON.stringify(init)};
  import * as scmRights from ${JSON.stringify(scmRights)};
  const { launch, rootlessSpec, stockSpec, hostRootSpec } = init;
  const bundle = ${JSON.stringify(bundle)};
  const prefix = ${JSON.stringify(newId())};
  let ids = 0;
  const newId = () => prefix + '-' + ++ids;
  const noTerminal = (spec) => { spec.process.terminal = false; return spec; };
  /** The stock specification for the shell, made rootless; 'change' has the last word. */
  const shell = (script, change = () => {}) => {
    const spec = noTerminal(rootlessSpec(stockSpec()));
    spec.process.args = ['sh', '-c', script];
    change(spec);
    return spec;
  };
  const namespaces = (spec, ...types) => {
    spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => !types.includes(type));
  };
  const withRange = (spec) => {
    spec.linux.uidMappings.push({ containerID: 1, hostID: ${subUid}, size: 65536 });
    spec.linux.gidMappings.push({ containerID: 1, hostID: ${subGid}, size: 65536 });
  };
  const start = (spec, options) =>
    launch({ id: newId(), spec, bundle }, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const see = async (spec, options) => {
    const launched = await start(spec, options);
    const { stdout, stderr, end } = await launched.output();
    const { code, signal } = end;
    return { stdout, stderr, code, signal, cgroups: launched.cgroupPaths, phases: launched.phases.map(({ name }) => name) };
  };
  const failureOf = (spec, options) =>
    start(spec, options).then(
      () => { throw new Error('it was launched'); },
      ({ name, code, step, syscall, errnoCode, path, field, message, hint }) =>
        ({ name, code, step, syscall, errnoCode, path, field, message, hint }),
    );
  const childrenOf = (pid) => readFileSync('/proc/' + pid + '/task/' + pid + '/children', 'utf8').split(' ').filter(Boolean);
  /** Cgroups of this program's launches. */
  const cgroups = (directory = '/sys/fs/cgroup') => {
    let entries = [];
    // Others make and remove theirs meanwhile.
    try { entries = readdirSync(directory, { withFileTypes: true }); } catch {}
    return entries.filter((entry) => entry.isDirectory()).flatMap(({ name }) =>
      [...(name.startsWith(prefix) ? [name] : []), ...cgroups(directory + '/' + name)]);
  };
  const belongings = () => ({
    fds: readdirSync('/proc/self/fd').length,
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\\n').length,
    grandchildren: childrenOf(process.pid).flatMap((pid) => childrenOf(pid)).length,
    cgroups: cgroups(),
  });
  const print = (value) => console.log(JSON.stringify(value));
`;

/** A bundle that belongs to the user, for all tests of the group that calls this. */
export function useRootlessUser(): RootlessUser {
  const user = {} as RootlessUser;
  let files: string;
  beforeAll(() => {
    Object.assign(user, makeBundle());
    chmodSync(user.path, 0o755);
    files = join(user.path, 'etc');
    mkdirSync(files);
    for (const file of ['passwd', 'group']) copyFileSync(join('/etc', file), join(files, file));
    appendFileSync(join(files, 'passwd'), `${name}:x:${rootlessUid}:${rootlessGid}::/:/bin/sh\n`);
    appendFileSync(join(files, 'group'), `${name}:x:${rootlessGid}:\n`);
    // Of the link itself: those of the bundle lead out of it.
    execFileSync('chown', ['-hR', `${rootlessUid}:${rootlessGid}`, user.path]);
  });
  afterAll(() => user.remove());

  user.runCommand = (command, options = {}) => {
    const sub = (first: number): string => `${name}:${first}:65536\n`;
    writeFileSync(join(files, 'subuid'), options.subIds ?? sub(subUid));
    writeFileSync(join(files, 'subgid'), options.subIds ?? sub(subGid));
    const script = [
      'set -e',
      'for f in passwd group subuid subgid; do mount --bind "$BUNDLE/etc/$f" "/etc/$f"; done',
      options.before ?? ':',
      `exec setpriv --reuid ${rootlessUid} --regid ${rootlessGid} --clear-groups env -i PATH="${options.path ?? path}" "$@"`,
    ].join('\n');
    const args = ['--mount', 'sh', '-c', script, 'sh', ...(options.wrapper ?? []), ...command];
    return run('unshare', args, {
      cwd: '/',
      maxBuffer: 1 << 24,
      env: { ...process.env, BUNDLE: user.path },
    });
  };

  user.runProgram = async <T>(body: string, options?: RootlessRun) => {
    const program = join(user.path, 'program.mjs');
    writeFileSync(program, `${prelude(user.path)}\n${body}`);
    const { stdout, stderr } = await user.runCommand([process.execPath, program], options);
    if (stderr !== '') throw new Error(`the program says: ${stderr}`);
    return JSON.parse(stdout) as T;
  };
  return user;
}
