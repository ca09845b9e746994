import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDirectory } from '../disk/open-directory.ts';
import { errnoCode, UnknownStatusError } from '../errors.ts';
import { type ExitRecord, exitRecordSchema, formatExitRecord } from '../record/exit-record.ts';
import { parseRecord } from '../record/parse-record.ts';
import { INIT_PROCESS_ID, processFiles, type ProcessPaths } from './layout.ts';
import { readIfThere, writeLayoutFile } from './layout-file.ts';
import { exitStatusOf, parseExitStatus, UNKNOWN_STATUS } from './number-files.ts';

/** What the files say of an end. `exit` is missing where somebody else wrote them, who left a number only. */
export interface Conclusion {
  status: number;
  exit: ExitRecord | undefined;
}

/**
 * Writes down how a process ended, as its files have it: first the record, then the number. What is there already stays.
 *
 * Whoever sees the number can see the record, which tells an unknown end from a code of 255. Throws BadRecordError.
 */
export async function conclude(paths: ProcessPaths, exit: ExitRecord): Promise<Conclusion> {
  await using directory = await openDirectory(paths.directory);
  await writeLayoutFile(directory, processFiles.exitRecord, formatExitRecord(exit), { once: true });
  const recorded = await readExitRecord(paths);
  const status = exitStatusOf(recorded ?? exit);
  const once = await writeLayoutFile(directory, processFiles.exitStatus, String(status), {
    once: true,
  });
  // Somebody else truncated it and died before writing.
  if (!once && (await readIfThere(paths.file('exitStatus'))) === '') {
    await writeLayoutFile(directory, processFiles.exitStatus, String(status));
  }
  return { status, exit: recorded ?? exit };
}

/** What was written down; undefined while nothing, or nothing whole, is. Throws BadRecordError. */
export async function readConclusion(paths: ProcessPaths): Promise<Conclusion | undefined> {
  const path = paths.file('exitStatus');
  const text = await readIfThere(path);
  const status = text === undefined ? undefined : parseExitStatus(text, path);
  if (status === undefined) return undefined;
  return { status, exit: await readExitRecord(paths) };
}

/** The number, if it says how the process ended. Throws UnknownStatusError if it does not. */
export function knownStatus(key: string, { status, exit }: Conclusion): number {
  if (exit?.kind === 'unknown') throw new UnknownStatusError(key, exit.reason);
  // Written by somebody else, for whom it is a code and also what stands for no code.
  if (exit === undefined && status === UNKNOWN_STATUS) {
    throw new UnknownStatusError(key, 'ambiguous');
  }
  return status;
}

async function readExitRecord(paths: ProcessPaths): Promise<ExitRecord | undefined> {
  const path = paths.file('exitRecord');
  const text = await readIfThere(path);
  return text === undefined ? undefined : parseRecord(text, exitRecordSchema, path);
}

const HOLD_BACK_MS = 2000;
const RETRY_MS = 10;

/**
 * Resolves when the ends of a container's executed processes that are over are written down, which is before its own may be;
 * those that run on, in a pid namespace that is not the container's, are not waited for. After two seconds it resolves in any
 * case: an exec whose supervisor is gone keeps no container from ending.
 */
export async function execsConcluded(
  paths: ProcessPaths,
  hasEnded: (id: string) => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + HOLD_BACK_MS;
  for (const id of await execIds(paths)) {
    const exec = paths.sibling(id);
    while (performance.now() < deadline) {
      try {
        if ((await readConclusion(exec)) !== undefined || !(await hasEnded(id))) break;
      } catch {
        // Damaged, or removed meanwhile: nothing will come of it.
        break;
      }
      await sleep(RETRY_MS);
    }
  }
}

async function execIds({ container }: ProcessPaths): Promise<string[]> {
  try {
    const entries = await readdir(container, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && entry.name !== INIT_PROCESS_ID)
      .map(({ name }) => name);
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return [];
    throw error;
  }
}
