import type { LaunchRequest, ProcessStore, StoredProcess } from '@pilotlight/process-store';
import type { RunFlags } from './command.ts';
import { writeWhole } from './write-whole.ts';

/**
 * Launches, and writes the files about it that the caller asked for. If one cannot be written
 * nothing runs: the caller would not know of what does. A failed launch leaves its transcript.
 */
export async function launchWithFiles(
  store: ProcessStore,
  request: LaunchRequest,
  flags: Pick<RunFlags, 'pidFile' | 'transcript'>,
): Promise<StoredProcess> {
  // Kept until the launch is over: a file being written while this process forks would be a hazard.
  const lines: string[] = [];
  const writeTranscript = async (): Promise<void> => {
    if (flags.transcript === undefined) return;
    await writeWhole('transcript', flags.transcript, lines.map((line) => `${line}\n`).join(''));
  };
  let process: StoredProcess;
  try {
    process = await store.launch(
      flags.transcript === undefined
        ? request
        : { ...request, transcript: (line) => void lines.push(line) },
    );
  } catch (error) {
    // Why the launch failed is what counts; that there is no transcript either shows by itself.
    await writeTranscript().catch(() => undefined);
    throw error;
  }
  try {
    await writeTranscript();
    if (flags.pidFile !== undefined) {
      await writeWhole('pid file', flags.pidFile, String(process.pid));
    }
    return process;
  } catch (error) {
    await process.delete({ force: true });
    throw error;
  }
}
