import type { StdioOptions } from '@pilotlight/init';
import type { FdLike } from '@pilotlight/scm-rights';
import { z } from 'zod';
import { StdioRequestError } from '../errors.ts';
import { type StoredLog, stdioOfLog, storedLogSchema } from '../log/log-options.ts';
import { isStoredTerminal, type StoredStdio, storedStdioSchema } from './stored-stdio.ts';

/** What a launch may ask for about its streams. */
export interface StdioRequest {
  /**
   * Those of this program, for as long as it lives, as `LaunchOptions` of @pilotlight/init has them; or streams that last
   * without it.
   */
  stdio?: StdioOptions | StoredStdio | undefined;
  /** Where the output goes; in place of the outputs of `stdio`, or, with a terminal, what is shown there. */
  log?: StoredLog | undefined;
  /** Takes the master of the terminal; stays the caller's. Not for streams that last, nor for restart policies. */
  consoleSocket?: FdLike | undefined;
}

/** Streams that last, as the record keeps them. */
export interface LastingStdio {
  stdio: StoredStdio;
  log?: StoredLog | undefined;
}

const NULL = { kind: 'null' } as const;
/** Nothing to read, and no output. */
export const ALL_NULL: StoredStdio = { stdin: NULL, stdout: NULL, stderr: NULL };

/**
 * The lasting streams that a launch asks for, or undefined for those of this program.
 *
 * `mustLast` is true where the process is started again without this program. Throws StdioRequestError.
 */
export function chooseStdio(
  { stdio, log, consoleSocket }: StdioRequest,
  { terminal, mustLast }: { terminal: boolean; mustLast: boolean },
): LastingStdio | undefined {
  const checkedLog = log === undefined ? undefined : check(storedLogSchema, log, 'log');
  const isLasting = stdio !== undefined && !Array.isArray(stdio);
  if (!isLasting && checkedLog === undefined && !mustLast) return undefined;
  if (consoleSocket !== undefined) {
    throw new StdioRequestError(
      'a console socket takes the terminal away, and these streams are to last without this program',
      'Leave consoleSocket out: the monitor holds the terminal.',
    );
  }
  const chosen = isLasting
    ? check(storedStdioSchema, stdio, 'stdio')
    : fromLive(stdio, terminal, checkedLog);
  if (isStoredTerminal(chosen) !== terminal) {
    throw new StdioRequestError(
      `the specification wants ${terminal ? 'a terminal' : 'no terminal'}, and stdio says otherwise`,
      'Let process.terminal of the specification and stdio agree.',
    );
  }
  requireLog(chosen, checkedLog);
  return { stdio: chosen, ...(checkedLog === undefined ? {} : { log: checkedLog }) };
}

function fromLive(stdio: unknown, terminal: boolean, log: StoredLog | undefined): StoredStdio {
  const streams = stdio as StdioOptions | undefined;
  if (streams?.some((stream) => stream !== 'ignore') === true) {
    throw new StdioRequestError(
      "this program's own streams and pipes end with it",
      "Use 'ignore', files, fifos or a log for a process that has a log or is started again.",
    );
  }
  if (terminal) return { terminal: true };
  return log === undefined ? ALL_NULL : { stdin: NULL, ...stdioOfLog(log) };
}

/** A fifo of a log needs somebody who pumps it. */
function requireLog(stdio: StoredStdio, log: StoredLog | undefined): void {
  if (isStoredTerminal(stdio)) {
    if (log?.driver !== 'file') return;
    throw new StdioRequestError(
      'a terminal is read by the monitor, and the log driver "file" is written by the process',
      'Use the log driver "cri" or "none" with a terminal.',
    );
  }
  const usesLog = stdio.stdout.kind === 'log' || stdio.stderr.kind === 'log';
  if (usesLog === (log?.driver === 'cri')) return;
  throw new StdioRequestError(
    usesLog
      ? 'an output is a log, and no log is given'
      : 'a log is given, and no output goes there',
    'Give a log of the driver "cri" with outputs { kind: \'log\' }, or leave the outputs out.',
  );
}

function check<T>(schema: z.ZodType<T>, value: unknown, name: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new StdioRequestError(
    `${name}: ${z.prettifyError(result.error)}`,
    'See StoredStdio and StoredLog for what there is.',
    result.error,
  );
}
