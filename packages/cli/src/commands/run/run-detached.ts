import type { LaunchRequest, ProcessStore } from '@pilotlight/process-store';
import { connectConsoleSocket } from '../../terminal/connect-console-socket.ts';
import type { RunFlags } from './command.ts';
import { writePidFile } from './pid-file.ts';

const INHERIT = ['inherit', 'inherit', 'inherit'] as const;

/** Resolves when the program runs, which belongs to nobody here from then on. */
export async function runDetached(
  store: ProcessStore,
  request: LaunchRequest,
  flags: RunFlags,
): Promise<void> {
  using console =
    flags.consoleSocket === undefined ? undefined : await connectConsoleSocket(flags.consoleSocket);
  const process = await store.launch({
    ...request,
    stdio: INHERIT,
    ...(console === undefined ? {} : { consoleSocket: console.fd }),
  });
  if (flags.pidFile !== undefined) {
    try {
      await writePidFile(flags.pidFile, process.pid);
    } catch (error) {
      // The caller would not know what runs.
      await process.delete({ force: true });
      throw error;
    }
  }
  await process.detach();
}
