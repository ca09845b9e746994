import { serveExec } from '@pilotlight/process-store/runcext';
import type { CliContext } from '../../context.ts';
import { CliError } from '../../errors.ts';

const STOPPING = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const;

/** Throws what `serveExec` throws, and CliError when a signal comes first. */
export async function execExt(this: CliContext, _flags: {}): Promise<void> {
  const { env, onSignal } = this.host;
  const stop = new AbortController();
  const release = STOPPING.map((signal) => onSignal(signal, () => stop.abort(interrupted(signal))));
  try {
    await serveExec(this.commandLine ?? [], { env, signal: stop.signal });
  } finally {
    for (const one of release) one();
  }
}

function interrupted(signal: string): CliError {
  return new CliError('ERR_CLI_INTERRUPTED', `exec-ext: interrupted by ${signal}`, {
    hint: 'The process was killed; execute it again.',
  });
}
