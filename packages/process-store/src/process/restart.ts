import { mkdir, rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path/posix';
import type { LaunchOptions, OciSpec } from '@pilotlight/init';
import { renameExchange } from '@pilotlight/scm-rights';
import { NotStoppedError } from '../errors.ts';
import { appendEvent } from '../events/append-events.ts';
import { deriveState } from '../record/derive-state.ts';
import type { Generation } from '../record/generation.ts';
import { lockRecord, type LockedRecord } from '../record/lock-record.ts';
import { parseRecordId } from '../record/record-id.ts';
import type { SpecRecord } from '../record/spec-record.ts';
import type { Restarts } from '../restart/restart-policy.ts';
import { ALL_NULL } from '../stdio/choose-stdio.ts';
import { clearAway } from './remove.ts';
import { attemptLaunch, type LaunchConditions, type LaunchedRecord } from './launch-attempt.ts';
import { launchOptions } from './launch.ts';
import { load } from './load.ts';
import { restartAtMonitor } from './launch-at-monitor.ts';
import { prepareLasting } from './prepare-lasting.ts';
import type { Prepared, StoreContext } from './store-context.ts';
import { type LockedView, notFound, withRecord } from './view-record.ts';

/** How to start again. */
export interface RestartOptions extends LaunchConditions {
  /** What the next record keeps of its restarts; by default what there is, counted up. */
  restarts?: Restarts;
  /** Refuses, as if it had not ended, when somebody has asked for its end; for restart policies. */
  unlessStopped?: boolean;
  /** Gets what went wrong and changes nothing, such as a `poststop` hook that failed. */
  onWarning?: (warning: Error) => void;
}

/**
 * Starts a container that has ended again, under the same id, with the specification it was launched with.
 *
 * The new record is made beside the old one, and takes its place in one step before the program runs: until then, and if
 * anything fails, the old one with its exit is there. Throws NotStoppedError, InvalidIdError, NotFoundError,
 * BadRecordError, BusyError, and the errors of `prepareLaunch`.
 */
export async function restart(
  context: StoreContext,
  id: string,
  generation: Generation | undefined,
  options: RestartOptions = {},
): Promise<LaunchedRecord> {
  parseRecordId(id);
  const { monitor, root } = context;
  const { signal } = options;
  if (monitor !== undefined && (await root.tier()) === 'C') {
    const { facts } = await load(root, id, signal);
    const spec = nextSpec(facts.spec, options.restarts);
    const launched = await restartAtMonitor({ ...context, monitor }, options, spec);
    context.live.set(id, launched.live);
    return launched;
  }
  // Kept beyond the lock of the old record, which goes out of sight with it.
  const { lock, tier } = await root.enterToLaunch(signal);
  let kept = true;
  try {
    const restarted = await withRecord(
      root,
      id,
      generation,
      async (view) => {
        await requireStopped(view, id);
        if (options.unlessStopped === true && view.facts.stopAsked) {
          throw new NotStoppedError('restart', id, 'stopped', 'somebody asked for its end');
        }
        const { onWarning } = options;
        // Whatever is left of the old one would be in the way of the new one, or be taken for its own.
        await clearAway(context, view, {
          force: true,
          ...(signal === undefined ? {} : { signal }),
          ...(onWarning === undefined ? {} : { onWarning }),
        });
        const spec = nextSpec(view.facts.spec, options.restarts);
        const record = await makeBeside(context, id, signal);
        const replacement = replace(context, view, record, spec.restarts?.count ?? 1);
        kept = false;
        const place = { rootLock: lock, record, spec, tier, replacement };
        const launched = await attemptLaunch(context, place, options, (onExit) =>
          prepareLasting(record, spec, signal, (streams) =>
            prepare(context, spec, { ...launchOptions(options, spec), ...streams, onExit }),
          ),
        );
        await rm(replacement.oldPath, { recursive: true, force: true, maxRetries: 3 });
        return launched;
      },
      { signal },
    );
    if (restarted === undefined) throw await notFound(root, id);
    return restarted;
  } finally {
    if (kept) lock.close();
  }
}

async function requireStopped({ facts, seen }: LockedView, id: string): Promise<void> {
  if (facts.exit !== undefined) return;
  const state = deriveState(facts, seen?.kind);
  throw new NotStoppedError('restart', id, state, `its process ${facts.proc.pid} is ${state}`);
}

function nextSpec(spec: SpecRecord, restarts: Restarts | undefined): SpecRecord {
  const counted = spec.restarts && { ...spec.restarts, count: spec.restarts.count + 1 };
  // The streams of its first launcher are gone.
  return { stdio: ALL_NULL, ...spec, restarts: restarts ?? counted };
}

/** A record that nobody sees yet, locked. */
async function makeBeside(
  { root }: StoreContext,
  id: string,
  signal: AbortSignal | undefined,
): Promise<LockedRecord> {
  for (;;) {
    signal?.throwIfAborted();
    const name = `${id.slice(0, 200)}.${randomBytes(6).toString('hex')}`;
    const path = join(root.layout.gone, name);
    await mkdir(path, { mode: 0o700 });
    const record = await lockRecord(id, path, { deadlineMs: 0 });
    // Somebody who sweeps took it for a leftover before it had its lock.
    if (record !== undefined) return record;
  }
}

/** Both locks are held, so nobody sees more of it than one step. */
function replace({ root }: StoreContext, old: LockedView, record: LockedRecord, attempt: number) {
  const beside = record.path;
  const inPlace = old.record.path;
  const exchange = (): void => renameExchange(beside, inPlace);
  return {
    oldPath: beside,
    async enter() {
      const subject = { ...old.facts.proc, key: record.key };
      // Before it is done: after a crash in between it is told again.
      await appendEvent(root.layout.events, subject, { type: 'restart', attempt });
      exchange();
      record.movedTo(inPlace);
      old.record.movedTo(beside);
    },
    async leave() {
      exchange();
      record.movedTo(beside);
      old.record.movedTo(inPlace);
    },
  };
}

async function prepare(
  context: StoreContext,
  { id, spec, bundle, options }: SpecRecord,
  given: LaunchOptions,
): Promise<Prepared> {
  const { prepareLaunch } = await import('@pilotlight/init');
  const config = { id, spec: spec as unknown as OciSpec, bundle };
  const stored = Object.entries(options ?? {}).filter(([, value]) => value !== undefined);
  return (context.launcher ?? prepareLaunch)(config, {
    ...(Object.fromEntries(stored) as LaunchOptions),
    ...given,
    poststop: 'caller',
  });
}
