import { resolve } from 'node:path';
import type { LaunchOptions, OciSpec } from '@pilotlight/init';
import type { LockedRecord } from '../record/lock-record.ts';
import { type RestartPolicy, requireRestarts } from '../restart/restart-policy.ts';
import { generateRecordId, parseRecordId } from '../record/record-id.ts';
import type { SpecRecord } from '../record/spec-record.ts';
import { attemptLaunch, type LaunchConditions, type LaunchedRecord } from './launch-attempt.ts';
import { reserveRecord } from './reserve-record.ts';
import type { StoreContext } from './store-context.ts';

/** Those that end a running program need a watcher; a stored process outlives its own. */
export type RunLimit = 'signal' | 'timeoutMs' | 'maxOutputBytes';

/** What to launch, and with which streams; see `LaunchOptions` of @pilotlight/init for the latter. */
export interface LaunchRequest
  extends Omit<LaunchOptions, 'onExit' | 'poststop' | 'launchSignal' | RunLimit>, LaunchConditions {
  /** 1 to 255 of `A-Z a-z 0-9 _ + - .`; generated when left out. */
  id?: string;
  spec: OciSpec;
  /** The bundle's directory; relative paths in the specification start there. */
  bundle: string;
  /** When it is started again after its end, by the monitor of the root; never, unless given. */
  restart?: RestartPolicy;
}

/**
 * Launches and records, in the one order that loses nothing: no program runs that is not recorded and, in tier A, pinned;
 * whatever of us dies in between.
 *
 * Whatever fails, nothing is left of it. Throws InvalidIdError, IdInUseError, RootError, DiskError, BusyError, and the
 * errors of `prepareLaunch`.
 */
export async function launch(
  context: StoreContext,
  request: LaunchRequest,
): Promise<LaunchedRecord> {
  const id = request.id === undefined ? generateRecordId() : parseRecordId(request.id);
  const { signal } = request;
  signal?.throwIfAborted();
  const { prepareLaunch, validateSpec } = await import('@pilotlight/init');
  const { id: _id, beforeRun: _beforeRun, signal: _signal, ...rest } = request;
  const { spec, bundle, restart, ...options } = rest;
  const record: SpecRecord = {
    schema: 1,
    id,
    bundle: resolve(bundle),
    createdAt: new Date().toISOString(),
    spec: validateSpec(spec),
    ...(restart === undefined ? {} : { restarts: requireRestarts(restart) }),
  };
  const launcher = context.launcher ?? prepareLaunch;
  const config = { id, spec: record.spec as unknown as OciSpec, bundle: record.bundle };
  const { lock, tier } = await context.root.enterToLaunch(signal);
  let reserved: LockedRecord;
  try {
    reserved = await reserveRecord(context.root, id, signal);
  } catch (error) {
    lock.close();
    throw error;
  }
  const place = { rootLock: lock, record: reserved, spec: record, tier };
  return attemptLaunch(context, place, request, (onExit) =>
    launcher(config, {
      ...options,
      ...(signal === undefined ? {} : { launchSignal: signal }),
      // The container is there until it is deleted, and so are its hooks.
      poststop: 'caller',
      onExit,
    }),
  );
}
