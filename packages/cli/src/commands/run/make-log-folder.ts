import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { StoredLog } from '@pilotlight/process-store';
import { FileError } from '../../errors.ts';
import { defaultLogPath, type LogSubject } from './parse-log.ts';

/** Makes the directory of a log that is at its default path; one that was named has to be there. Throws FileError. */
export async function makeLogFolder(log: StoredLog, subject: LogSubject): Promise<void> {
  if (log.driver === 'none' || log.path !== defaultLogPath(subject)) return;
  const folder = dirname(log.path);
  try {
    await mkdir(folder, { recursive: true, mode: 0o750 });
  } catch (cause) {
    throw new FileError('make the directory of logs', folder, {
      hint: 'Name another place with --log-opt path=FILE.',
      cause,
    });
  }
}
