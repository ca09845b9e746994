import type { OciSpec } from '@pilotlight/init';
import { closeAll, type OwnedFd, pidfdOpen } from '@pilotlight/scm-rights';
import { ForeignNamespaceError } from '../errors.ts';
import { parseRecord } from '../record/parse-record.ts';
import { exec } from '../process/exec.ts';
import { launch } from '../process/launch.ts';
import { restart } from '../process/restart.ts';
import type { RemoteRequest } from '../process/launch-at-monitor.ts';
import type { StoreContext } from '../process/store-context.ts';
import type { LaunchedRecord } from '../process/launch-attempt.ts';
import { here } from '../supervision/here.ts';
import { LaunchDialogue } from './launch-dialogue.ts';
import type { Monitor } from './monitor.ts';
import type { ClientConnection } from './serve-client.ts';
import type { ClientMessage, LaunchRole } from './wire/client-protocol.ts';
import { readMemfd } from './wire/json-memfd.ts';
import { ProtocolError } from './wire/packets.ts';
import { type WireLaunchRequest, wireLaunchRequestSchema } from './wire/launch-request.ts';
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
  const { namespaces } = here();
  if (message.namespaces.pid !== namespaces.pid || message.namespaces.mnt !== namespaces.mnt) {
    // Paths and pids would mean something else there.
    throw new ForeignNamespaceError('launch', request.id);
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
    launchOrExec(context, request, {
      ...request.options,
      ...descriptorOptions(fds),
      ...(request.stdio === undefined ? {} : { stdio: request.stdio }),
      ...(request.log === undefined ? {} : { log: request.log }),
      ...(message.transcript
        ? { transcript: (line: string) => void client.send({ type: 'transcript', line }) }
        : {}),
      onWarning: (warning) =>
        void client.send({ type: 'warning', error: toWireError(warning) }).catch(() => undefined),
      signal: dialogue.signal,
      beforeRun: async ({ id, pid }) => {
        // It waits at its gate, and nobody reaps it but our zygote, which we have not asked to.
        using pidfd = pidfdOpen(pid);
        await client.send({ type: 'recorded', id, pid }, [pidfd]);
        await dialogue.hear('go');
      },
    }),
  );
}

async function launchOrExec(
  context: StoreContext,
  { id, container, again, spec, bundle, restarts }: WireLaunchRequest,
  options: RemoteRequest,
): Promise<LaunchedRecord> {
  if (again === true) {
    const { signal, beforeRun, onWarning } = options;
    return restart(context, id, undefined, {
      signal,
      beforeRun,
      ...(onWarning === undefined ? {} : { onWarning }),
      ...(restarts === undefined ? {} : { restarts }),
    });
  }
  if (container === undefined) {
    const given = { ...options, ...(restarts === undefined ? {} : { restart: restarts.policy }) };
    return launch(context, { ...given, id, spec: spec as unknown as OciSpec, bundle });
  }
  const { process } = spec as unknown as OciSpec;
  return exec(context, container, { ...options, id, process });
}

function descriptorOptions(fds: Map<LaunchRole, OwnedFd[]>): RemoteRequest {
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
