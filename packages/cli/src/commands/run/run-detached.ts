import type { LaunchRequest, ProcessStore } from '@pilotlight/process-store';
import { connectConsoleSocket } from '../../terminal/connect-console-socket.ts';
import type { RunFlags } from './command.ts';
import { needsMonitor } from './detached-options.ts';
import { launchWithFiles } from './launch-with-files.ts';

const INHERIT = ['inherit', 'inherit', 'inherit'] as const;

/** Resolves when the program runs, which belongs to nobody here from then on. */
export async function runDetached(
  store: ProcessStore,
  request: LaunchRequest,
  flags: RunFlags,
): Promise<void> {
  using console =
    flags.consoleSocket === undefined ? undefined : await connectConsoleSocket(flags.consoleSocket);
  const process = await launchWithFiles(
    store,
    {
      ...request,
      // What lasts without us cannot be our own streams.
      ...(needsMonitor(request) ? {} : { stdio: INHERIT }),
      ...(console === undefined ? {} : { consoleSocket: console.fd }),
    },
    flags,
  );
  await process.detach();
}
