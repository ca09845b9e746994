export { type Host, processHost, type TextStream } from './context.ts';
export { CliError, isCliError } from './errors.ts';
export { exitCodes } from './exit-code.ts';
export { runCli } from './run-cli.ts';
