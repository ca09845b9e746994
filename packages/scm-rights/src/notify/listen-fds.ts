import { EnvironmentError } from '../errors.ts';
import { fcntlGetfd } from '../libc/fcntl.ts';
import { OwnedFd } from '../owned-fd.ts';

/** A descriptor that the service manager passed, and what it calls it. */
export interface PassedFd {
  /** From `FileDescriptorName=` or `FDNAME`; `unknown` if the manager gave none. */
  name: string;
  /** Close-on-exec. The caller closes it. */
  fd: OwnedFd;
}

const FIRST = 3;

/**
 * The descriptors that the service manager passed to this process: sockets to listen on, and what was stored; as
 * sd_listen_fds_with_names(3). None if they were meant for another process or the variables are not set.
 *
 * Takes the variables out of the environment (`keepEnvironment` leaves them), so that children do not believe they are meant:
 * call it once, before anything is spawned. Throws EnvironmentError, or SyscallError (EBADF: a number is not open); then no
 * descriptor is taken.
 */
export function listenFds(
  options: { environment?: NodeJS.ProcessEnv; keepEnvironment?: boolean } = {},
): PassedFd[] {
  const { environment = process.env, keepEnvironment = false } = options;
  const { LISTEN_PID: pid, LISTEN_FDS: count, LISTEN_FDNAMES: names } = environment;
  if (pid === undefined || count === undefined) return [];
  if (wholeNumber('LISTEN_PID', pid) !== process.pid) return [];
  const total = wholeNumber('LISTEN_FDS', count);
  const named = names === undefined ? [] : names.split(':');
  if (names !== undefined && named.length !== total) {
    throw new EnvironmentError('LISTEN_FDNAMES', `${total} names`, names);
  }
  const numbers = Array.from({ length: total }, (_, index) => FIRST + index);
  for (const number of numbers) fcntlGetfd(number);
  if (!keepEnvironment) {
    for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete environment[name];
  }
  return numbers.map((number, index) => {
    const name = named[index] ?? 'unknown';
    return { name, fd: OwnedFd.adopt(number, `passed descriptor ${name}`) };
  });
}

function wholeNumber(variable: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new EnvironmentError(variable, 'a whole number', text);
  return Number(text);
}
