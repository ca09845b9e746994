import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type OwnedFd, tryLock } from '@pilotlight/scm-rights';
import { errnoCode, NotFoundError } from '../errors.ts';
import { parseRecordId } from '../record/record-id.ts';
import { readConclusion } from './conclusion.ts';
import { ensureFifo, openControl, openExitReader } from './fifos.ts';
import { findProcess, type FoundProcess } from './find-process.ts';
import { INIT_PROCESS_ID, processPaths } from './layout.ts';
import { readIfThere } from './layout-file.ts';
import { parsePid } from './number-files.ts';
import { Observer } from './observer.ts';
import { Process } from './process.ts';
import { decodeProcessSpec } from './process-json.ts';
import { processKey } from './process-key.ts';
import { readPid } from './read-pid.ts';
import type { SupervisedStore } from './supervised-store.ts';
import { takeOver } from './take-over.ts';

/**
 * Loads a process that another program has started, or this one before. If nobody supervises it, this program does from now on,
 * with every handle that a start opens; if it has ended meanwhile, that is written down. If another program supervises it, the
 * result talks to that one, and takes over when it goes.
 *
 * A container whose bundle has vanished is killed. Throws InvalidIdError, NotFoundError, BadRecordError, UnprovenProcessError,
 * PidFileError, and what the store's `load` throws.
 */
export async function loadProcess(
  store: SupervisedStore,
  stateRoot: string,
  container: string,
  id: string = INIT_PROCESS_ID,
): Promise<Process> {
  const paths = processPaths(resolve(stateRoot), parseRecordId(container), parseRecordId(id));
  const key = processKey(container, id);
  const text = await readIfThere(paths.file('process'));
  if (text === undefined) throw new NotFoundError(key, stateRoot, await keysIn(stateRoot));
  const spec = decodeProcessSpec(text, paths.file('process'));
  const about = { store, container, id, key, paths, spec };
  const conclusion = await readConclusion(paths);
  if (conclusion !== undefined) {
    const pid = parsePid((await readIfThere(paths.file('pid'))) ?? '');
    return new Process({
      ...about,
      found: undefined,
      pid,
      exitReader: undefined,
      watch: conclusion,
    });
  }
  ensureFifo(paths.file('exit'));
  ensureFifo(paths.file('control'));
  const opened: OwnedFd[] = [];
  let found: FoundProcess | undefined;
  try {
    const exitReader = openExitReader(paths.file('exit'));
    opened.push(exitReader);
    const lock = tryLock(paths.file('lock'), 'exclusive');
    if (lock !== undefined) opened.push(lock);
    // Its supervisor may be starting it.
    if (lock === undefined) await readPid(paths.file('pid'));
    found = await findProcess(store, key, paths);
    const orphan = { ...about, found };
    let watch;
    if (lock === undefined) watch = new Observer(orphan, openControl(paths.file('control')));
    else {
      opened.pop();
      watch = await takeOver(orphan, lock);
    }
    return new Process({ ...about, found, pid: found.pid, exitReader, watch });
  } catch (error) {
    found?.close?.();
    for (const fd of opened) fd.close();
    throw error;
  }
}

/** What `loadProcesses` found. */
export interface LoadedProcesses {
  /** Of each container its executed processes first, then `init`. */
  processes: Process[];
  /** What cannot be loaded. It stays as it is. */
  problems: { container: string; id: string; problem: Error }[];
}

/** Loads all processes under a state root, as `loadProcess` does. What is damaged stops nothing and is reported. */
export async function loadProcesses(
  store: SupervisedStore,
  stateRoot: string,
): Promise<LoadedProcesses> {
  const loaded: LoadedProcesses = { processes: [], problems: [] };
  for (const { container, id } of await processesIn(stateRoot)) {
    try {
      loaded.processes.push(await loadProcess(store, stateRoot, container, id));
    } catch (error) {
      const problem = error instanceof Error ? error : new Error(String(error));
      loaded.problems.push({ container, id, problem });
    }
  }
  return loaded;
}

async function keysIn(stateRoot: string): Promise<string[]> {
  return (await processesIn(stateRoot)).map(({ container, id }) => processKey(container, id));
}

async function processesIn(stateRoot: string): Promise<{ container: string; id: string }[]> {
  const found: { container: string; id: string }[] = [];
  for (const container of await directoriesIn(stateRoot)) {
    const ids = await directoriesIn(join(stateRoot, container));
    const execs = ids.filter((id) => id !== INIT_PROCESS_ID);
    // Init last: its end comes after theirs.
    const ordered = ids.includes(INIT_PROCESS_ID) ? [...execs, INIT_PROCESS_ID] : execs;
    found.push(...ordered.map((id) => ({ container, id })));
  }
  return found;
}

async function directoriesIn(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .toSorted();
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return [];
    throw error;
  }
}
