import { type GlobalOptions, parseCommandLine } from './arguments/global-options.ts';
import type { Host } from './context.ts';
import { exitCodes } from './exit-code.ts';

/**
 * Runs one command line, `args` being what follows the program's name, and resolves to the exit code, which the caller
 * sets. Never rejects: a failure is written to the host's standard error, and to the log if there is one.
 */
export async function runCli(args: readonly string[], host: Host): Promise<number> {
  let options: GlobalOptions | undefined;
  try {
    const line = parseCommandLine(args, host);
    options = line.options;
    if (options.version) {
      const { versionText } = await import('./version.ts');
      host.stdout.write(versionText());
      return exitCodes.success;
    }
    return await runWithLog(line.inputs, line.program, options, host);
  } catch (error) {
    return reportFailure(error, host);
  }
}

async function runWithLog(
  inputs: readonly string[],
  program: readonly string[] | undefined,
  options: GlobalOptions,
  host: Host,
): Promise<number> {
  const { runCommand } = await import('./app.ts');
  if (options.log === undefined) return runCommand(inputs, program, options, host);
  const { ErrorLog } = await import('./log/error-log.ts');
  // Before anything is done: whoever wants a log is told now that there will be none.
  using log = ErrorLog.open(options.log, options.logFormat);
  try {
    return await runCommand(inputs, program, options, host);
  } catch (error) {
    log.write(error, host.now());
    throw error;
  }
}

async function reportFailure(error: unknown, host: Host): Promise<number> {
  const { renderError } = await import('./render/error.ts');
  const { exitCodeOfFailure } = await import('./exit-code-of-failure.ts');
  try {
    host.stderr.write(renderError(error, { colour: wantsColour(host) }));
  } catch {
    // Nobody reads standard error; the exit code still tells.
  }
  return exitCodeOfFailure(error);
}

/** https://no-color.org: any value but an empty one turns colours off. */
function wantsColour({ env, isTerminal }: Host): boolean {
  return isTerminal(2) && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}
