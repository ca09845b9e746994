import type { LaunchRequest, ProcessStore, StoredProcess } from '@pilotlight/process-store';
import type { RunFlags } from './command.ts';
import { WholeFile } from './whole-file.ts';

/**
 * Launches, and writes the files about it that the caller asked for: the pid before the program
 * runs, the transcript when the launch is over, failed or not. Where one of them cannot be written
 * nothing is launched.
 */
export async function launchWithFiles(
  store: ProcessStore,
  request: LaunchRequest,
  flags: Pick<RunFlags, 'pidFile' | 'transcript'>,
): Promise<StoredProcess> {
  await using pidFile = await placeFor('pid file', flags.pidFile);
  await using transcript = await placeFor('transcript', flags.transcript);
  // Kept until the launch is over: a file being written while this process forks would be a hazard.
  const lines: string[] = [];
  const writeTranscript = async (): Promise<void> =>
    transcript?.write(lines.map((line) => `${line}\n`).join(''));
  let process: StoredProcess;
  try {
    process = await store.launch({
      ...request,
      ...(pidFile === undefined
        ? {}
        : { beforeRun: ({ pid }: { pid: number }) => pidFile.write(String(pid)) }),
      ...(transcript === undefined ? {} : { transcript: (line: string) => void lines.push(line) }),
    });
  } catch (error) {
    // Why the launch failed is what counts; that there is no transcript either shows by itself.
    await writeTranscript().catch(() => undefined);
    throw error;
  }
  try {
    await writeTranscript();
    return process;
  } catch (error) {
    // A disk that filled up meanwhile: the caller hears of a failure, so nothing may run.
    await process.remove({ force: true });
    throw error;
  }
}

async function placeFor(what: string, path: string | undefined): Promise<WholeFile | undefined> {
  return path === undefined ? undefined : WholeFile.create(what, path);
}
