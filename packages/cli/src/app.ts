import {
  type Application,
  type ApplicationText,
  buildApplication,
  buildRouteMap,
  run,
  type StricliProcess,
  text_en,
} from '@stricli/core';
import type { GlobalOptions } from './arguments/global-options.ts';
import { usageProblem } from './arguments/usage-problem.ts';
import { deleteCommand } from './commands/delete/command.ts';
import { execExtCommand } from './commands/exec-ext/command.ts';
import { infoCommand } from './commands/info/command.ts';
import { killCommand } from './commands/kill/command.ts';
import { listCommand } from './commands/list/command.ts';
import { runCommand as runVerb } from './commands/run/command.ts';
import { specCommand } from './commands/spec/command.ts';
import { stateCommand } from './commands/state/command.ts';
import { syncDecodeCommand } from './commands/sync-decode/command.ts';
import { waitCommand } from './commands/wait/command.ts';
import type { CliContext, Host } from './context.ts';
import { UsageError } from './errors.ts';
import { exitCodes } from './exit-code.ts';

const fullDescription = `An OCI runtime for Linux, and a launcher of sandboxed commands.

Global flags stand before the command:
  --root DIR           where processes are recorded; default /run/pilotlight, for other
                       users than root $XDG_RUNTIME_DIR/pilotlight
  --log FILE           also append errors to this file
  --log-format FORMAT  text (default) or json
  --version, -v        print versions and exit

Exit codes: those of the program for \`run\`; 124 a status that nobody knows, 125 our own
failure, 126 a program that cannot be executed, 127 no such program, 128+n ended by signal n.`;

const routes = buildRouteMap<string, CliContext>({
  routes: {
    run: runVerb,
    spec: specCommand,
    state: stateCommand,
    list: listCommand,
    kill: killCommand,
    wait: waitCommand,
    delete: deleteCommand,
    info: infoCommand,
    sync: buildRouteMap<string, CliContext>({
      routes: { decode: syncDecodeCommand },
      docs: { brief: 'Read what a parent and its child said to each other' },
    }),
    execExt: execExtCommand,
  },
  docs: { brief: 'Launch containers and sandboxed commands', fullDescription },
});

/**
 * Runs one command with its flags and arguments. Resolves to the exit code; rejects with the first error, whether it is
 * the caller's or ours.
 */
export async function runCommand(
  inputs: readonly string[],
  commandLine: readonly string[] | undefined,
  options: GlobalOptions,
  host: Host,
): Promise<number> {
  const problems: unknown[] = [];
  const process: StricliProcess = {
    stdout: { write: (text) => host.stdout.write(text) },
    // The parser would print each error in its own form; ours are collected and thrown.
    stderr: { write: () => undefined },
    env: { STRICLI_SKIP_VERSION_CHECK: '1' },
  };
  const context: CliContext = { process, host, root: options.root, commandLine };
  await run(application(inputs[0] ?? '', problems), inputs, context);
  if (problems.length > 0) throw problems[0];
  return Number(process.exitCode ?? exitCodes.success);
}

function application(command: string, problems: unknown[]): Application<CliContext> {
  const collect = (problem: unknown): string => {
    problems.push(problem);
    return '';
  };
  const text: ApplicationText = {
    ...text_en,
    exceptionWhileParsingArguments: (problem) => collect(usageProblem(command, problem)),
    exceptionWhileLoadingCommandFunction: collect,
    exceptionWhileLoadingCommandContext: collect,
    exceptionWhileRunningCommand: collect,
    commandErrorResult: collect,
    noCommandRegisteredForInput: ({ input, corrections }) =>
      collect(new UsageError(`there is no command ${input}`, didYouMean(corrections))),
  };
  return buildApplication(routes, {
    name: 'pilotlight',
    scanner: {
      caseStyle: 'allow-kebab-for-camel',
      allowArgumentEscapeSequence: true,
      // One or two slips of the finger, not any short word.
      distanceOptions: {
        threshold: 2,
        weights: { insertion: 1, deletion: 1, substitution: 1, transposition: 1 },
      },
    },
    documentation: { disableAnsiColor: true },
    localization: { text },
  });
}

function didYouMean(corrections: readonly string[]): string {
  return corrections.length === 0
    ? 'See `pilotlight --help`.'
    : `Did you mean ${corrections.join(' or ')}? See \`pilotlight --help\`.`;
}
