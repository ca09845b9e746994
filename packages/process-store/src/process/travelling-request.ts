import { type FdLike, fdNumber } from '@pilotlight/scm-rights';
import { CannotTravelError } from '../errors.ts';
import type { LaunchRole } from '../monitor/wire/client-protocol.ts';
import type { WireLaunchOptions, WireLaunchRequest } from '../monitor/wire/launch-request.ts';
import type { SpecRecord } from '../record/spec-record.ts';
import type { RemoteRequest } from './launch-at-monitor.ts';

/** Sent as JSON. */
const VALUES: readonly (keyof WireLaunchOptions)[] = [
  'newKeyring',
  'launchTimeoutMs',
  'noPivot',
  'nofileSoft',
  'listenFdNames',
  'ignorePaused',
];

/** What happens at this end, and descriptors. */
const OTHERS: readonly (keyof RemoteRequest)[] = [
  'process',
  'log',
  'again',
  'id',
  'spec',
  'bundle',
  'restart',
  'signal',
  'beforeRun',
  'onWarning',
  'transcript',
  'stdio',
  'consoleSocket',
  'preserveFds',
  'listenFds',
];

/** Refuses what the monitor could not be told. Throws CannotTravelError. */
export function requireTravelling(request: RemoteRequest, hasLauncher: boolean): void {
  if (hasLauncher) {
    throw new CannotTravelError('launcher', 'the monitor launches, and it has its own');
  }
  const known = new Set<string>([...VALUES, ...OTHERS]);
  for (const [option, value] of Object.entries(request)) {
    if (value === undefined || known.has(option)) continue;
    throw new CannotTravelError(option, 'it cannot be sent to the monitor, which launches');
  }
}

/** The part that is JSON; `spec` is checked already. */
export function valuesOf(request: RemoteRequest, record: SpecRecord): WireLaunchRequest {
  const { id, container, bundle, spec, restarts, stdio, log } = record;
  const options: Partial<Record<keyof WireLaunchOptions, unknown>> = {};
  for (const name of VALUES) if (request[name] !== undefined) options[name] = request[name];
  return {
    id,
    ...(request.again === true ? { again: true } : {}),
    ...(container === undefined ? {} : { container }),
    spec,
    bundle,
    ...(stdio === undefined ? {} : { stdio }),
    ...(log === undefined ? {} : { log }),
    ...(restarts === undefined ? {} : { restarts }),
    options: options as WireLaunchOptions,
  };
}

/** The descriptors, each with its role; they stay their owners'. `stdio` is what the child gets. */
export function descriptorsOf(
  { consoleSocket, preserveFds = [], listenFds = [] }: RemoteRequest,
  stdio: readonly FdLike[] | undefined,
): { role: LaunchRole; fd: FdLike }[] {
  const names = ['stdin', 'stdout', 'stderr'] as const;
  const all = [
    ...(stdio ?? []).map((fd, index) => ({ role: names[index] ?? 'stderr', fd })),
    ...(consoleSocket === undefined ? [] : [{ role: 'console' as const, fd: consoleSocket }]),
    ...preserveFds.map((fd) => ({ role: 'preserve' as const, fd })),
    ...listenFds.map((fd) => ({ role: 'listen' as const, fd })),
  ];
  for (const { fd } of all) fdNumber(fd);
  return all;
}
