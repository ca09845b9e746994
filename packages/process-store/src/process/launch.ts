import { resolve } from 'node:path';
import type { ExecOptions, LaunchOptions, OciSpec, StdioOptions } from '@pilotlight/init';
import type { LockedRecord } from '../record/lock-record.ts';
import { mayRestart, type RestartPolicy, requireRestarts } from '../restart/restart-policy.ts';
import { generateRecordId, parseRecordId } from '../record/record-id.ts';
import type { SpecRecord, StoredOptions } from '../record/spec-record.ts';
import { chooseStdio, type StdioRequest } from '../stdio/choose-stdio.ts';
import { attemptLaunch, type LaunchConditions, type LaunchedRecord } from './launch-attempt.ts';
import { launchAtMonitor } from './launch-at-monitor.ts';
import type { ExecRequest } from './exec.ts';
import { prepareLasting } from './prepare-lasting.ts';
import { reserveRecord } from './reserve-record.ts';
import type { StoreContext } from './store-context.ts';

/** Those that end a running program need a watcher; a stored process outlives its own. */
export type RunLimit = 'signal' | 'timeoutMs' | 'maxOutputBytes';

/** What to launch, and with which streams; see `LaunchOptions` of @pilotlight/init for the latter. */
export interface LaunchRequest
  extends
    Omit<
      LaunchOptions,
      'onExit' | 'poststop' | 'launchSignal' | 'stdio' | 'consoleSocket' | RunLimit
    >,
    LaunchConditions,
    StdioRequest {
  /** 1 to 255 of `A-Z a-z 0-9 _ + - .`; generated when left out. */
  id?: string;
  spec: OciSpec;
  /** The bundle's directory; relative paths in the specification start there. */
  bundle: string;
  /** When it is started again after its end, by the monitor of the root; never, unless given. */
  restart?: RestartPolicy;
}

/**
 * Launches and records, in the one order that loses nothing: no program runs that is not recorded and, in tier A, pinned,
 * in tier B, held by monitor and keeper; whatever of us dies in between. In tier C the monitor does it.
 *
 * Whatever fails, nothing is left of it. Throws InvalidIdError, IdInUseError, RootError, DiskError, TierError, BusyError,
 * MonitorError, CannotTravelError, and the errors of `prepareLaunch`.
 */
export async function launch(
  context: StoreContext,
  request: LaunchRequest,
): Promise<LaunchedRecord> {
  const id = request.id === undefined ? generateRecordId() : parseRecordId(request.id);
  const { signal } = request;
  signal?.throwIfAborted();
  const { prepareLaunch, validateSpec } = await import('@pilotlight/init');
  const checked = validateSpec(request.spec);
  const restarts = request.restart === undefined ? undefined : requireRestarts(request.restart);
  const spec: SpecRecord = {
    schema: 1,
    id,
    bundle: resolve(request.bundle),
    createdAt: new Date().toISOString(),
    spec: checked,
    ...chooseStdio(request, {
      terminal: checked.process.terminal ?? false,
      mustLast: mayRestart(restarts),
    }),
    options: storedOptions(request),
    ...(restarts === undefined ? {} : { restarts }),
  };
  const { monitor } = context;
  if (monitor !== undefined && (await context.root.tier()) === 'C') {
    const launched = await launchAtMonitor({ ...context, monitor }, request, spec);
    context.live.set(id, launched.live);
    return launched;
  }
  const launcher = context.launcher ?? prepareLaunch;
  const { lock, tier } = await context.root.enterToLaunch(signal);
  let record: LockedRecord;
  try {
    record = await reserveRecord(context.root, id, signal);
  } catch (error) {
    lock.close();
    throw error;
  }
  return attemptLaunch(context, { rootLock: lock, record, spec, tier }, request, (onExit) =>
    prepareLasting(record, spec, signal, (streams) =>
      launcher(
        { id, spec: checked, bundle: spec.bundle },
        {
          ...launchOptions(request, spec),
          ...streams,
          // The container is there until it is deleted, and so are its hooks.
          poststop: 'caller',
          onExit,
        },
      ),
    ),
  );
}

/** What of a request is `prepareLaunch`'s, or `prepareExec`'s. */
export function launchOptions(
  request: Partial<LaunchRequest & ExecRequest>,
  { stdio: lasting }: SpecRecord,
): LaunchOptions & ExecOptions {
  const { id: _id, spec: _spec, bundle: _bundle, process: _process, ...rest } = request;
  const { restart: _restart, log: _log, beforeRun: _beforeRun, ...others } = rest;
  const { stdio, signal, consoleSocket, ...options } = others;
  return {
    ...options,
    ...(stdio === undefined || lasting !== undefined ? {} : { stdio: stdio as StdioOptions }),
    ...(consoleSocket === undefined ? {} : { consoleSocket }),
    ...(signal === undefined ? {} : { launchSignal: signal }),
  };
}

/** What of a request a restart needs to know. */
function storedOptions(request: LaunchRequest): StoredOptions {
  const { newKeyring, noPivot, nofileSoft, launchTimeoutMs } = request;
  return { newKeyring, noPivot, nofileSoft, launchTimeoutMs };
}
