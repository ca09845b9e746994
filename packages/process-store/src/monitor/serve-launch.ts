import { closeAll, type OwnedFd, pidfdOpen } from '@pilotlight/scm-rights';
import { ForeignNamespaceError } from '../errors.ts';
import { parseRecord } from '../record/parse-record.ts';
import { launch, type LaunchRequest } from '../process/launch.ts';
import type { LaunchedRecord } from '../process/launch-attempt.ts';
import { here } from '../supervision/here.ts';
import { LaunchDialogue } from './launch-dialogue.ts';
import type { Monitor } from './monitor.ts';
import type { ClientConnection } from './serve-client.ts';
import type { ClientMessage, LaunchRole } from './wire/client-protocol.ts';
import { readMemfd } from './wire/json-memfd.ts';
import { ProtocolError } from './wire/packets.ts';
import { wireLaunchRequestSchema } from './wire/launch-request.ts';
import { toWireError } from './wire/wire-error.ts';

type LaunchMessage = Extract<ClientMessage, { type: 'launch' }>;

/**
 * Launches for a client, as its program's parent. Takes over the descriptors.
 *
 * Rejects with what the launch failed with; nothing is left of it then.
 */
export async function serveLaunch(
  monitor: Monitor,
  client: ClientConnection,
  message: LaunchMessage,
  fds: OwnedFd[],
): Promise<void> {
  const given = fds.splice(0);
  try {
    const launched = await launchFor(monitor, client, message, byRole(message.roles, given));
    monitor.attendLaunched(launched);
    const { phases } = launched.live.launched;
    await client.send({ type: 'started', phases: [...phases] });
  } finally {
    closeAll(given);
  }
}

async function launchFor(
  monitor: Monitor,
  client: ClientConnection,
  message: LaunchMessage,
  fds: Map<LaunchRole, OwnedFd[]>,
): Promise<LaunchedRecord> {
  const [memfd] = fds.get('request') ?? [];
  if (memfd === undefined) throw new ProtocolError('the launch has no request');
  const request = parseRecord(readMemfd(memfd), wireLaunchRequestSchema, 'launch request');
  const { pid, mnt } = here().namespaces;
  if (message.namespaces.pid !== pid || message.namespaces.mnt !== mnt) {
    // Paths and pids would mean something else there.
    throw new ForeignNamespaceError('launch', request.id ?? 'a process');
  }
  await using dialogue = new LaunchDialogue(client, monitor.root);
  const context = monitor.launchContext(
    message.steps
      ? async (step) => {
          await client.send({ type: 'step', step });
          const heard = dialogue.hear('continue');
          // It runs: a client that is gone by now is no reason to fail.
          await (step === 'started' ? heard.catch(() => undefined) : heard);
        }
      : () => undefined,
  );
  // Awaited, or the dialogue would be over before the launch.
  return await monitor.duringLaunch(() =>
    launch(context, {
      ...request.options,
      ...(request.id === undefined ? {} : { id: request.id }),
      spec: request.spec,
      bundle: request.bundle,
      ...(request.restart === undefined ? {} : { restart: request.restart }),
      ...descriptorOptions(fds),
      ...(message.transcript
        ? { transcript: (line: string) => void client.send({ type: 'transcript', line }) }
        : {}),
      onWarning: (warning) =>
        void client.send({ type: 'warning', error: toWireError(warning) }).catch(() => undefined),
      signal: dialogue.signal,
      beforeRun: async (process) => {
        // It waits at its gate, and nobody reaps it but our zygote, which we have not asked to.
        using pidfd = pidfdOpen(process.pid);
        const { id, pid } = process;
        await client.send({ type: 'recorded', id, pid }, [pidfd]);
        await dialogue.hear('go');
      },
    }),
  );
}

function descriptorOptions(fds: Map<LaunchRole, OwnedFd[]>): Partial<LaunchRequest> {
  const single = (role: LaunchRole): OwnedFd | undefined => fds.get(role)?.[0];
  const [stdin, stdout, stderr] = [single('stdin'), single('stdout'), single('stderr')];
  const consoleSocket = single('console');
  const preserveFds = fds.get('preserve');
  const listenFds = fds.get('listen');
  return {
    ...(stdin === undefined || stdout === undefined || stderr === undefined
      ? {}
      : { stdio: [stdin, stdout, stderr] as const }),
    ...(consoleSocket === undefined ? {} : { consoleSocket }),
    ...(preserveFds === undefined ? {} : { preserveFds }),
    ...(listenFds === undefined ? {} : { listenFds }),
  };
}

function byRole(roles: readonly LaunchRole[], fds: readonly OwnedFd[]): Map<LaunchRole, OwnedFd[]> {
  if (roles.length !== fds.length) throw new ProtocolError('roles and descriptors differ');
  const map = new Map<LaunchRole, OwnedFd[]>();
  for (const [index, role] of roles.entries()) {
    map.set(role, [...(map.get(role) ?? []), fds[index]!]);
  }
  return map;
}
