import { lstat, unlink } from 'node:fs/promises';
import {
  isSyscallError,
  openPin,
  type OwnedFd,
  pidfdSendSignal,
  pidfdState,
} from '@pilotlight/scm-rights';
import { inside } from '../disk/temporary-file.ts';
import { BadRecordError, DamagedRecordError, messageOf, StillAliveError } from '../errors.ts';
import { recordFiles } from '../layout.ts';
import { exitRecordSchema } from '../record/exit-record.ts';
import { type Generation, isSameGeneration } from '../record/generation.ts';
import type { LockedRecord } from '../record/lock-record.ts';
import { readRecord } from '../record/parse-record.ts';
import { type ProcRecord, procRecordSchema } from '../record/proc-record.ts';
import { type SpecRecord, specRecordSchema } from '../record/spec-record.ts';
import { here } from '../supervision/here.ts';
import { observe } from '../supervision/observe.ts';
import { waitReaped } from '../supervision/wait-reaped.ts';

/** What can still be read of a record that is damaged, each file by itself. */
export interface Remains {
  spec: SpecRecord | undefined;
  proc: ProcRecord | undefined;
  /** Whether there is a whole record of its end. */
  ended: boolean;
  released: boolean;
  pinFile: boolean;
  /** What is wrong with `proc.json`, if it is there and cannot be read. */
  procProblem: BadRecordError | undefined;
}

/** Reads what is left of a damaged record. Throws NewerSchemaError: what we do not understand is not damaged. */
export async function readRemains({ directory, path }: LockedRecord): Promise<Remains> {
  const problems = new Map<string, BadRecordError>();
  const read = async <T>(name: string, schema: Parameters<typeof readRecord<T>>[1]) => {
    try {
      return await readRecord(inside(directory, name), schema, `${path}/${name}`);
    } catch (error) {
      if (!(error instanceof BadRecordError)) throw error;
      problems.set(name, error);
      return undefined;
    }
  };
  const exists = async (name: string): Promise<boolean> =>
    lstat(inside(directory, name)).then(
      () => true,
      () => false,
    );
  return {
    spec: await read(recordFiles.spec, specRecordSchema),
    proc: await read(recordFiles.proc, procRecordSchema),
    ended: (await read(recordFiles.exit, exitRecordSchema)) !== undefined,
    released: await exists(recordFiles.released),
    pinFile: await exists(recordFiles.pin),
    procProblem: problems.get(recordFiles.proc),
  };
}

/**
 * Returns when it is proven that the process of a damaged record does not run; kills it if it is proven to be it.
 *
 * Throws DamagedRecordError where nothing proves either, StillAliveError, the signal's reason.
 */
export async function requireEnded(
  record: LockedRecord,
  remains: Remains,
  damage: Error,
  { deadlineMs, signal }: { deadlineMs: number; signal?: AbortSignal | undefined },
): Promise<void> {
  const { proc } = remains;
  if (remains.ended || (proc !== undefined && proc.bootId !== here().bootId)) return;
  using pidfd = holdProcess(record, remains, damage);
  if (pidfd === undefined) return;
  const deadline = AbortSignal.timeout(deadlineMs);
  try {
    pidfdSendSignal(pidfd, 'SIGKILL');
    await waitReaped(pidfd, signal === undefined ? deadline : AbortSignal.any([deadline, signal]));
  } catch (error) {
    signal?.throwIfAborted();
    if (isSyscallError(error, 'ESRCH')) return;
    if (!deadline.aborted) throw error;
    // A zombie runs nothing any more.
    if (pidfdState(pidfd) === 'running')
      throw new StillAliveError('delete', record.key, proc?.pid ?? 0, deadlineMs);
  }
}

/** Refuses a damaged record of which it cannot be told that it is that of `generation`. */
export function requireGeneration(
  { proc }: Remains,
  generation: Generation | undefined,
  damage: Error,
): 'same' | 'other' {
  if (generation === undefined) return 'same';
  if (proc === undefined) throw damage;
  return isSameGeneration(proc, generation) ? 'same' : 'other';
}

/** The process, held; undefined if it has proven not to run. */
function holdProcess(
  record: LockedRecord,
  { proc, released, pinFile, procProblem }: Remains,
  damage: Error,
): OwnedFd | undefined {
  const refuse = (why: string): never => {
    throw new DamagedRecordError(record.path, why, damage);
  };
  if (proc === undefined) {
    // A pin in the folder was put there by its launch, whatever the other files say.
    const pin = openPin(record.pinPath);
    if (pin !== undefined) return aliveOrClosed(pin);
    if (procProblem === undefined && !released) return undefined;
    return refuse(
      pinFile
        ? `${recordFiles.proc} cannot be read, and its pin is not mounted here`
        : `${recordFiles.proc} cannot be read, and it has no pin`,
    );
  }
  try {
    const seen = observe(proc, record.pinPath, here());
    if (seen.kind === 'hidden') {
      return refuse('its process was launched in another pid or mount namespace');
    }
    return 'pidfd' in seen ? seen.pidfd : undefined;
  } catch (error) {
    if (error instanceof BadRecordError) return refuse(messageOf(error));
    throw error;
  }
}

function aliveOrClosed(pin: OwnedFd): OwnedFd | undefined {
  if (pidfdState(pin) !== 'reaped') return pin;
  pin.close();
  return undefined;
}

/** Removes what is no folder in the place of a record; false if it is one. Links are not followed. */
export async function removeStray(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined || stats.isDirectory()) return false;
  await unlink(path);
  return true;
}
