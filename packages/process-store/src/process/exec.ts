import { utimes } from 'node:fs/promises';
import { join } from 'node:path/posix';
import type { ExecOptions, OciProcess, OciSpec } from '@pilotlight/init';
import type { FdLike, OwnedFd } from '@pilotlight/scm-rights';
import { takeLock } from '../disk/lock.ts';
import { ForeignNamespaceError, NotRunningError } from '../errors.ts';
import { recordFiles } from '../layout.ts';
import type { LockedRecord } from '../record/lock-record.ts';
import { generateRecordId, parseRecordId } from '../record/record-id.ts';
import { formatRecordKey } from '../record/record-key.ts';
import type { SpecRecord } from '../record/spec-record.ts';
import type { StoreRoot } from '../root/store-root.ts';
import { chooseStdio, type StdioRequest } from '../stdio/choose-stdio.ts';
import { attemptLaunch, type LaunchConditions, type LaunchedRecord } from './launch-attempt.ts';
import { launchOptions, type RunLimit } from './launch.ts';
import { launchAtMonitor } from './launch-at-monitor.ts';
import { prepareLasting } from './prepare-lasting.ts';
import { makeRecordFolder, reserveRecord } from './reserve-record.ts';
import { describeExit } from './signal.ts';
import type { Prepared, StoreContext } from './store-context.ts';
import { notFound, type ProcessFacts, type RecordView, viewRecord } from './view-record.ts';

/** What to execute in a container, and with which streams; see `ExecOptions` of @pilotlight/init for the latter. */
export interface ExecRequest
  extends
    Omit<ExecOptions, 'onExit' | 'launchSignal' | 'stdio' | 'consoleSocket' | RunLimit>,
    LaunchConditions,
    StdioRequest {
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
  const { monitor, root } = context;
  const terminal = request.process.terminal ?? false;
  const spec: SpecRecord = {
    schema: 1,
    id,
    container,
    bundle: '/',
    createdAt: new Date().toISOString(),
    spec: { process: request.process },
    ...chooseStdio(request, { terminal, mustLast: false }),
  };
  if (monitor !== undefined && (await root.tier()) === 'C') {
    const launched = await launchAtMonitor({ ...context, monitor }, request, spec);
    context.live.set(launched.live.key, launched.live);
    return launched;
  }
  const { lock, tier } = await root.enterToLaunch(request.signal);
  let held: OwnedFd | undefined = lock;
  try {
    // Shared, and to the end: nobody removes the container while something is being executed in it.
    using _containerLock = await lockContainer(context, container, request.signal);
    const launched = await viewRecord(root, container, undefined, async (view) => {
      const entry = await checkEntry(view, container, request.process);
      const { ociVersion, process } = entry.spec;
      const record = await reserve(context, container, id, request.signal);
      held = undefined;
      const whole = { ...spec, bundle: entry.facts.spec.bundle, spec: { ociVersion, process } };
      return attemptLaunch(
        context,
        { rootLock: lock, record, spec: whole, tier },
        request,
        (onExit) =>
          prepareLasting(record, whole, request.signal, (streams) =>
            prepare(context, entry, { ...launchOptions(request, whole), ...streams, onExit }),
          ),
      );
    });
    await showMonitor(root, container);
    return launched;
  } finally {
    held?.close();
  }
}

/** A monitor watches the folder of containers, and sees that one of them has changed. */
async function showMonitor({ layout }: StoreRoot, container: string): Promise<void> {
  const now = new Date();
  // It looks again from time to time in any case.
  await utimes(layout.record(container), now, now).catch(() => undefined);
}

/** Everything about the container that executing in it takes. */
interface Entry {
  facts: ProcessFacts;
  /** Of the container's first process. */
  pidfd: FdLike;
  /** The container's, with the process that is to be executed. */
  spec: OciSpec;
}

/** Throws NotRunningError, ForeignNamespaceError, and InvalidConfigError of @pilotlight/init. */
async function checkEntry(
  { facts, seen }: RecordView,
  container: string,
  process: OciProcess,
): Promise<Entry> {
  if (seen?.kind === 'hidden') throw new ForeignNamespaceError('execute in', container);
  if (facts === undefined || seen?.kind !== 'alive') {
    const how = facts === undefined ? 'it is not recorded yet' : describeExit(facts.exit);
    throw new NotRunningError('execute in', container, how);
  }
  const { validateSpec } = await import('@pilotlight/init');
  const spec = validateSpec({ ...facts.spec.spec, process }, 'the process');
  return { facts, pidfd: seen.pidfd, spec };
}

async function prepare(
  context: StoreContext,
  { facts, pidfd, spec: { process } }: Entry,
  options: ExecOptions,
): Promise<Prepared> {
  const { prepareExec } = await import('@pilotlight/init');
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
  return (context.executor ?? prepareExec)(config, options);
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
  await makeRecordFolder(root.layout.execs(container));
  return reserveRecord(root, formatRecordKey({ container, exec: id }), signal);
}
