import { type FdLike, fdNumber } from '@pilotlight/scm-rights';
import { InvalidConfigError } from '../errors.ts';

export type ProgramFdOptions = {
  /**
   * What the program gets beside its streams, in this order: as 3, 4, … or after `listenFds`.
   * Borrowed: the program gets copies, the caller closes its own. It may use them however the
   * caller could; a directory among them is a way out of the container.
   */
  preserveFds?: readonly FdLike[];
  /** Sockets that the program finds with sd_listen_fds(3): as 3, 4, … and in LISTEN_FDS. Borrowed as well. */
  listenFds?: readonly FdLike[];
  /** Names for `listenFds`, one each, as LISTEN_FDNAMES. */
  listenFdNames?: readonly string[];
};

/** Most descriptors in one message of a Unix socket; unix(7). */
const SCM_MAX_FD = 253;
/** Streams, init, sync, console, cgroup and eight namespaces travel in the same packet. */
const othersInPacket = 15;
const maxProgramFds = SCM_MAX_FD - othersInPacket;

/**
 * The descriptors that the program gets from 3 on.
 *
 * @throws InvalidConfigError when they are more than one packet carries; see unix(7), SCM_RIGHTS
 * @throws FdClosedError, InvalidFdError for one that is not open
 */
export function programFds({ listenFds = [], preserveFds = [] }: ProgramFdOptions): FdLike[] {
  const fds = [...listenFds, ...preserveFds];
  if (fds.length > maxProgramFds) {
    throw new InvalidConfigError(
      'preserveFds',
      `preserveFds, listenFds: ${fds.length} descriptors are more than the ${maxProgramFds} that can be handed over`,
      { hint: 'Pass a connected Unix socket, and send the rest over it.' },
    );
  }
  for (const fd of fds) fdNumber(fd);
  return fds;
}
