import { AliasNotFoundError, ArgumentParseError, FlagNotFoundError } from '@stricli/core';
import { isCliError, UsageError } from '../errors.ts';
import { didYouMean } from '../render/did-you-mean.ts';

/** The error of the parser as one of ours, which names the command. */
export function usageProblem(command: string, problem: unknown): unknown {
  if (isCliError(problem)) return problem;
  const similar = problem instanceof FlagNotFoundError ? problem.corrections.map(asWritten) : [];
  const hint = `${didYouMean(similar)}See \`pilotlight ${command} --help\`.`;
  return new UsageError(`${command}: ${describe(problem)}`, hint);
}

/** `--console-socket` for `consoleSocket`. */
function asWritten(flag: string): string {
  return `--${flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function describe(problem: unknown): string {
  if (problem instanceof FlagNotFoundError) return `unknown flag --${problem.input}`;
  if (problem instanceof AliasNotFoundError) return `unknown flag -${problem.input}`;
  if (problem instanceof ArgumentParseError) {
    const { exception } = problem;
    return exception instanceof Error ? exception.message : String(exception);
  }
  const text = problem instanceof Error ? problem.message : String(problem);
  return text.charAt(0).toLowerCase() + text.slice(1);
}
