import { constants } from 'node:fs';
import { openFd, type OwnedFd, pidfdSendSignal, socketpair } from '@pilotlight/scm-rights';
import type { MountIdMap } from '@pilotlight/sync';
import { CLONE_NEWUSER } from '../plan/namespaces.ts';
import { writeIdMaps } from './write-id-maps.ts';
import type { Zygote } from './zygote.ts';

/** A user namespace: one that exists at a path, or maps to make one with. */
export type UserNamespaceSource = {
  /** Empty for a new one. */
  path: string;
  uidMappings: readonly MountIdMap[];
  gidMappings: readonly MountIdMap[];
};

/**
 * Lends a user namespace that stands for nothing but its id maps. A new one is made by a child that
 * waits for a config which never comes, and is gone again when `use` is done.
 *
 * @throws SyscallError, LaunchError
 */
export async function withUserNamespace(
  source: UserNamespaceSource,
  zygote: Zygote,
  use: (namespace: OwnedFd) => void,
): Promise<void> {
  if (source.path !== '') {
    using namespace = openFd(source.path, constants.O_RDONLY);
    return use(namespace);
  }
  using nullDevice = openFd('/dev/null', constants.O_RDWR);
  const [ours, init] = socketpair('stream');
  const [ourSync, sync] = socketpair('seqpacket');
  try {
    const streams = { stdin: nullDevice, stdout: nullDevice, stderr: nullDevice };
    const child = await zygote.fork({ cloneFlags: CLONE_NEWUSER, fds: { ...streams, init, sync } });
    try {
      await writeIdMaps(child.pid, {
        uidMappings: source.uidMappings.map(toMapping),
        gidMappings: source.gidMappings.map(toMapping),
        writtenBy: 'privileged',
      });
      using namespace = openFd(`/proc/${child.pid}/ns/user`, constants.O_RDONLY);
      use(namespace);
    } finally {
      pidfdSendSignal(child.pidfd, 'SIGKILL');
      await child.ended;
      await child.reap();
      child.pidfd.close();
    }
  } finally {
    for (const end of [ours, init, ourSync, sync]) end.close();
  }
}

const toMapping = ({ container_id, host_id, size }: MountIdMap) => ({
  containerID: container_id,
  hostID: host_id,
  size,
});
