import type { OciSpec } from '../config/oci-spec.ts';
import { InvalidConfigError, UnsupportedConfigError } from '../errors.ts';
import type { PlannedNamespaces } from './namespaces.ts';

const nanosecondsPerSecond = 1_000_000_000;

/**
 * The text of /proc/PID/timens_offsets for a new time namespace; empty where its clocks are the
 * host's, `undefined` where none is made. time_namespaces(7), Linux 5.6.
 *
 * A process stays in the namespace it is in when it unshares this one; execve(2) moves it there
 * since Linux 6.1.
 *
 * @param kernelRelease as uname(2) has it
 * @throws InvalidConfigError for offsets that nothing could be done with
 * @throws UnsupportedConfigError where the kernel is too old
 */
export function planTimeOffsets(
  spec: OciSpec,
  { time, joins }: PlannedNamespaces,
  kernelRelease: string,
): string | undefined {
  const offsets = Object.entries(spec.linux?.timeOffsets ?? {}).flatMap(([clock, offset]) =>
    offset === undefined ? [] : [{ clock, secs: offset.secs ?? 0, nanosecs: offset.nanosecs ?? 0 }],
  );
  if (!time && offsets.length > 0) {
    const joined = joins.some(({ type }) => type === 'time');
    throw new InvalidConfigError(
      'linux.timeOffsets',
      joined
        ? 'linux.timeOffsets: a time namespace that is joined has its clocks set already'
        : 'linux.timeOffsets: there is no time namespace to set',
      { hint: 'Add {"type": "time"} without a path to linux.namespaces, or remove the offsets.' },
    );
  }
  if (!time) return undefined;
  const [major = 0, minor = 0] = kernelRelease.split('.').map((part) => Number.parseInt(part, 10));
  if (major < 6 || (major === 6 && minor < 1)) {
    const index = spec.linux?.namespaces?.findIndex(({ type }) => type === 'time') ?? 0;
    throw new UnsupportedConfigError(
      `linux.namespaces[${index}]`,
      `execve moves a process into a new time namespace since Linux 6.1, this is ${kernelRelease}`,
    );
  }
  return offsets
    .map(({ clock, secs, nanosecs }) => {
      if (nanosecs >= nanosecondsPerSecond) {
        const field = `linux.timeOffsets.${clock}.nanosecs`;
        throw new InvalidConfigError(field, `${field}: must be below one second`, {
          hint: 'Put whole seconds into secs.',
        });
      }
      return `${clock} ${secs} ${nanosecs}\n`;
    })
    .join('');
}

/**
 * For an unprivileged launcher. A child that is born in a user namespace that others are in already
 * must not be dumpable, and the files in /proc of such a process are root's.
 *
 * @throws UnsupportedConfigError
 */
export function requireSettableClocks(
  { user }: PlannedNamespaces,
  timeOffsets: string | undefined,
): void {
  if (user !== 'joined' || timeOffsets === undefined || timeOffsets === '') return;
  throw new UnsupportedConfigError(
    'linux.timeOffsets',
    'an unprivileged user cannot set clocks in a user namespace that is joined',
    [],
    {
      hint: 'Make a user namespace instead of joining one, join a time namespace, or launch as root.',
    },
  );
}
