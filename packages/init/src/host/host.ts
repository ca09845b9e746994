import { existsSync, readFileSync } from 'node:fs';
import { release, userInfo } from 'node:os';
import { join } from 'node:path/posix';

/** What a failed launch may ask this machine. Nothing of it is looked at while launches succeed. */
export interface Host {
  /** Of this process; 0 is root. */
  readonly uid: number;
  /** The user's name, or the uid where it has none. */
  readonly userName: string;
  /** As uname(2) gives it, for example `6.8.0-45-generic`. */
  readonly kernelRelease: string;
  /** The text of a small file; undefined if it is not there or may not be read. */
  read(path: string): string | undefined;
  /** Whether PATH has a program of this name. */
  hasProgram(name: string): boolean;
}

/** The machine that this process runs on. */
export const thisHost: Host = {
  get uid() {
    return process.geteuid?.() ?? -1;
  },
  get userName() {
    try {
      return userInfo().username;
    } catch {
      // It is in no passwd file.
      return String(this.uid);
    }
  },
  get kernelRelease() {
    return release();
  },
  read(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  },
  hasProgram(name) {
    const directories = (process.env['PATH'] ?? '/usr/bin:/bin').split(':');
    return directories.some((directory) => existsSync(join(directory, name)));
  },
};

/** A sysctl as a number; undefined where the kernel has none of this name. */
export function sysctl(host: Host, name: string): number | undefined {
  const text = host.read(`/proc/sys/${name}`)?.trim();
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
}

/** One field of /proc/self/status, proc_pid_status(5). */
export function statusField(host: Host, name: string): string | undefined {
  const line = host
    .read('/proc/self/status')
    ?.split('\n')
    .find((one) => one.startsWith(`${name}:`));
  return line?.slice(name.length + 1).trim();
}

/** A seccomp filter is on this process, as in most containers; seccomp(2), SECCOMP_MODE_FILTER. */
export const hasSeccompFilter = (host: Host): boolean => statusField(host, 'Seccomp') === '2';

const CAP_SYS_ADMIN = 21n;

/** Undefined where /proc does not tell. */
export function hasSysAdmin(host: Host): boolean | undefined {
  const effective = statusField(host, 'CapEff');
  if (effective === undefined || !/^[\da-f]+$/.test(effective)) return undefined;
  return ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}
