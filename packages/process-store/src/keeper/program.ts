import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isCloseOnExec } from '@pilotlight/scm-rights';
import { keeperFds } from './settings.ts';

/**
 * For little memory: both idle for most of their lives. Together with `shrinkMemoryWhenQuiet` it is about half of what it is
 * without; decision 0015.
 */
export const nodeFlags: readonly string[] = [
  '--v8-pool-size=0',
  '--max-semi-space-size=1',
  '--no-node-snapshot',
  '--expose-gc',
  '--no-warnings',
];

/** The file of a program of this package, as it was built. */
export function programFile(name: 'keeper' | 'monitor'): string {
  return fileURLToPath(import.meta.resolve(`@pilotlight/process-store/${name}`));
}

/** What runs it: this process's own Node. */
export function nodePath(): string {
  // What Node says of itself when it was started from a detached mount.
  return process.execPath === '/' ? '/proc/self/exe' : process.execPath;
}

/** The user's own message buses and the places of programs; no secrets, and nothing that changes how Node runs. */
export function programEnvironment(): Record<string, string> {
  const names = ['PATH', 'TMPDIR', 'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'];
  const known = names.map((name) => [name, process.env[name]] as const);
  return {
    // Of glibc: one heap for all threads, whose free end goes back to the machine; mallopt(3).
    MALLOC_ARENA_MAX: '1',
    MALLOC_TRIM_THRESHOLD_: '131072',
    ...Object.fromEntries(
      known.filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
  };
}

/** Descriptors of this process that a keeper it starts would get without being asked, under the same numbers. */
export function strayFds(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => fd > keeperFds.report && isCloseOnExec(fd) === false);
}
