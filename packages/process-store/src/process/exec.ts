import { mkdir } from 'node:fs/promises';
import { join } from 'node:path/posix';
import type { ExecOptions, OciProcess, OciSpec } from '@pilotlight/init';
import type { FdLike, OwnedFd } from '@pilotlight/scm-rights';
import { takeLock } from '../disk/lock.ts';
import {
  DiskError,
  errnoCode,
  ForeignNamespaceError,
  isDiskRefusal,
  NotRunningError,
} from '../errors.ts';
import { recordFiles } from '../layout.ts';
import type { LockedRecord } from '../record/lock-record.ts';
import { generateRecordId, parseRecordId } from '../record/record-id.ts';
import { formatRecordKey } from '../record/record-key.ts';
import type { SpecRecord } from '../record/spec-record.ts';
import { attemptLaunch, type LaunchConditions, type LaunchedRecord } from './launch-attempt.ts';
import type { RunLimit } from './launch.ts';
import { reserveRecord } from './reserve-record.ts';
import { describeExit } from './signal.ts';
import type { StoreContext } from './store-context.ts';
import { notFound, type ProcessFacts, type RecordView, viewRecord } from './view-record.ts';

/** What to execute in a container, and with which streams; see `ExecOptions` of @pilotlight/init for the latter. */
export interface ExecRequest
  extends Omit<ExecOptions, 'onExit' | 'launchSignal' | RunLimit>, LaunchConditions {
  /** Names the process within its container: 1 to 255 of `A-Z a-z 0-9 _ + - .`; generated when left out. */
  id?: string;
  /** What it leaves out of capabilities, limits and labels is as for the container's first process. */
  process: OciProcess;
}

const LOCK_DEADLINE_MS = 10_000;

/**
 * Executes a process in a container that runs or waits at its gate, and records it as a launch is recorded.
 *
 * Whatever fails, nothing is left of it. Throws InvalidIdError, NotFoundError, NotRunningError (the container has ended),
 * IdInUseError, ForeignNamespaceError, BusyError, and the errors of `prepareExec`.
 */
export async function exec(
  context: StoreContext,
  container: string,
  request: ExecRequest,
): Promise<LaunchedRecord> {
  const id = request.id === undefined ? generateRecordId() : parseRecordId(request.id);
  parseRecordId(container);
  request.signal?.throwIfAborted();
  const { root } = context;
  const { lock, tier } = await root.enterToLaunch(request.signal);
  let held: OwnedFd | undefined = lock;
  try {
    // Shared, and to the end: nobody removes the container while something is being executed in it.
    using _containerLock = await lockContainer(context, container, request.signal);
    const place = await viewRecord(root, container, undefined, async (view) => {
      const { facts, pidfd } = requireAlive(view, container);
      const { validateSpec } = await import('@pilotlight/init');
      const whole = { ...facts.spec.spec, process: request.process };
      const { ociVersion, process } = validateSpec(whole, `the process ${id}`);
      const record = await reserve(context, container, id, request.signal);
      held = undefined;
      const spec: SpecRecord = {
        schema: 1,
        id,
        container,
        bundle: facts.spec.bundle,
        createdAt: new Date().toISOString(),
        spec: { ociVersion, process },
      };
      return attemptLaunch(context, { rootLock: lock, record, spec, tier }, request, (onExit) =>
        prepare(context, { facts, pidfd, process }, request, onExit),
      );
    });
    return place;
  } finally {
    held?.close();
  }
}

interface Entry {
  facts: ProcessFacts;
  /** Of the container's first process. */
  pidfd: FdLike;
  process: OciProcess;
}

async function prepare(
  context: StoreContext,
  { facts, pidfd, process }: Entry,
  request: ExecRequest,
  onExit: NonNullable<ExecOptions['onExit']>,
) {
  const { prepareExec } = await import('@pilotlight/init');
  const { id: _id, process: _process, beforeRun: _beforeRun, signal, ...options } = request;
  const { proc, spec } = facts;
  const config = {
    container: {
      id: proc.id,
      spec: spec.spec as unknown as OciSpec,
      bundle: spec.bundle,
      pidfd,
      cgroupPaths: proc.cgroupPaths,
    },
    process,
  };
  return (context.executor ?? prepareExec)(config, {
    ...options,
    ...(signal === undefined ? {} : { launchSignal: signal }),
    onExit,
  });
}

async function lockContainer(
  { root }: StoreContext,
  container: string,
  signal: AbortSignal | undefined,
): Promise<OwnedFd> {
  const path = join(root.layout.record(container), recordFiles.lock);
  const lock = await takeLock(path, 'shared', { deadlineMs: LOCK_DEADLINE_MS, signal });
  if (lock === undefined) throw await notFound(root, container);
  return lock;
}

async function reserve(
  { root }: StoreContext,
  container: string,
  id: string,
  signal: AbortSignal | undefined,
): Promise<LockedRecord> {
  try {
    await mkdir(root.layout.execs(container), { mode: 0o700 });
  } catch (error) {
    if (isDiskRefusal(error)) throw new DiskError('make', root.layout.execs(container), error);
    if (errnoCode(error) !== 'EEXIST') throw error;
  }
  return reserveRecord(root, formatRecordKey({ container, exec: id }), signal);
}

/** Its first process, which is what there is of a container. */
function requireAlive(
  { facts, seen }: RecordView,
  id: string,
): { facts: ProcessFacts; pidfd: FdLike } {
  if (seen?.kind === 'hidden') throw new ForeignNamespaceError('execute in', id);
  if (facts !== undefined && seen?.kind === 'alive') return { facts, pidfd: seen.pidfd };
  const how = facts === undefined ? 'it is not recorded yet' : describeExit(facts.exit);
  throw new NotRunningError('execute in', id, how);
}
