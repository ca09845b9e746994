import type { LaunchRequest, ProcessStore, StoredProcess } from '@pilotlight/process-store';
import type { Host } from '../../context.ts';
import { exitCodeOfEnd } from '../../exit-code.ts';
import { TerminalSession } from '../../terminal/terminal-session.ts';
import { writeWarning } from '../../render/warning.ts';
import type { RunFlags } from './command.ts';
import { ForwardedSignals } from './forwarded-signals.ts';
import { launchWithFiles } from './launch-with-files.ts';

const INHERIT = ['inherit', 'inherit', 'inherit'] as const;

/** Resolves when the program has ended, to the exit code that stands for its end. */
export async function runForeground(
  store: ProcessStore,
  request: LaunchRequest,
  flags: RunFlags,
  host: Host,
): Promise<number> {
  // From here on a signal ends the launch, and then is the program's.
  using signals = new ForwardedSignals(host);
  await using terminal =
    request.spec.process.terminal === true ? TerminalSession.open() : undefined;
  const process = await launchWithFiles(
    store,
    {
      ...request,
      ...(terminal === undefined
        ? {}
        : { spec: terminal.sized(request.spec), consoleSocket: terminal.consoleSocket }),
      stdio: INHERIT,
      signal: signals.beforeStart,
    },
    flags,
  );
  try {
    await terminal?.attach();
  } catch (error) {
    await process.remove({ force: true });
    throw error;
  }
  signals.deliverTo(process);
  const exit = await process.wait();
  if (!flags.keep) await removeRecord(process, host);
  return exitCodeOfEnd(exit);
}

/** What the caller wants to know is how the program ended: a record that stays is only told. */
async function removeRecord(process: StoredProcess, host: Host): Promise<void> {
  try {
    await process.remove({ onWarning: (warning) => writeWarning(host, warning) });
  } catch (error) {
    const { renderError } = await import('../../render/error.ts');
    host.stderr.write(renderError(error, { colour: false }));
  }
}
