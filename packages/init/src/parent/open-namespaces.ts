import { constants } from 'node:fs';
import { isSyscallError, openFd, type OwnedFd } from '@pilotlight/scm-rights';
import { causedBy, LaunchError } from '../errors.ts';
import type { LaunchPlan } from '../plan/plan-launch.ts';
import type { PlannedJoin } from '../plan/namespaces.ts';
import type { ForkRequest } from './zygote.ts';

/** The part of a fork request that joins namespaces, and the descriptors it borrows. */
export type OpenNamespaces = Disposable & {
  request: Pick<ForkRequest, 'joins' | 'joinedBy' | 'pidNamespace'>;
};

/**
 * Opens the namespaces that a plan joins by path.
 *
 * @throws LaunchError with step `namespaces`; nothing stays open then
 */
export function openNamespaces({ joins, joinedBy }: LaunchPlan): OpenNamespaces {
  if (joins.length === 0) return { request: {}, [Symbol.dispose]: () => undefined };
  const opened: OwnedFd[] = [];
  const close = (): void => {
    for (const fd of opened) fd.close();
  };
  try {
    const all = joins.map((join) => {
      const fd = openNamespace(join);
      opened.push(fd);
      return { fd, flags: join.flag, name: join.path, type: join.type };
    });
    // A process is born in its pid namespace: the zygote joins that one, for the child.
    const pid = joinedBy === 'entry' ? undefined : all.find(({ type }) => type === 'pid');
    return {
      request: {
        joinedBy,
        joins: all.filter((join) => join !== pid),
        ...(pid === undefined ? {} : { pidNamespace: pid.fd }),
      },
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function openNamespace({ path, type, index }: PlannedJoin): OwnedFd {
  try {
    return openFd(path, constants.O_RDONLY);
  } catch (cause) {
    if (!isSyscallError(cause)) throw cause;
    throw new LaunchError({
      step: 'namespaces',
      message: `open the ${type} namespace ${path} (linux.namespaces[${index}]): ${cause.message}`,
      ...causedBy(cause),
      path,
      index,
      hint: 'The path must be a namespace that exists: /proc/PID/ns/… of a process that lives, or a file it is mounted on.',
    });
  }
}
