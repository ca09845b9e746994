import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import type { CommandContext, StricliProcess } from '@stricli/core';

/** Text goes out at once and in order. */
export interface TextStream {
  readonly write: (text: string) => void;
}

/** All of the outside world that a command may touch. */
export interface Host {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The effective user id. */
  readonly uid: number;
  readonly cwd: () => string;
  readonly now: () => Date;
  /** Whether the descriptor is a terminal. */
  readonly isTerminal: (fd: number) => boolean;
  /** Calls back for a signal that this process gets; the result stops that. */
  readonly onSignal: (signal: NodeJS.Signals, listener: () => void) => () => void;
}

/** What a command has as `this`. */
export interface CliContext extends CommandContext {
  /** A command that succeeds with another code than 0 sets `exitCode` here. */
  readonly process: StricliProcess;
  readonly host: Host;
  /** Directory of the store. */
  readonly root: string;
  /** What followed `--`: a command line of the user's. Undefined without `--`. With `exec-ext`, all that followed it. */
  readonly commandLine: readonly string[] | undefined;
}

/**
 * The host of a real program.
 *
 * Streams are written by number: Node's own stream objects make pipes non-blocking, also for the programs that inherit
 * them from us.
 */
export function processHost(process: NodeJS.Process): Host {
  return {
    stdout: { write: (text) => writeAll(1, text) },
    stderr: { write: (text) => writeAll(2, text) },
    env: process.env,
    uid: process.geteuid?.() ?? 0,
    cwd: () => process.cwd(),
    now: () => new Date(),
    isTerminal: (fd) => isatty(fd),
    onSignal(signal, listener) {
      process.on(signal, listener);
      return () => void process.off(signal, listener);
    },
  };
}

/** Every signal that Node can catch and that does not tell of this very process's own faults. */
export const catchableSignals: readonly NodeJS.Signals[] = (
  Object.keys(constants.signals) as NodeJS.Signals[]
).filter(
  (signal) =>
    ![
      // Cannot be caught.
      'SIGKILL',
      'SIGSTOP',
      // Sent by the kernel for what this process did; Node could only loop on them.
      'SIGSEGV',
      'SIGBUS',
      'SIGFPE',
      'SIGILL',
      // Synonyms of SIGABRT, SIGIO and SIGSYS; catching both would deliver twice.
      'SIGIOT',
      'SIGPOLL',
      'SIGUNUSED',
    ].includes(signal),
);

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      // Another program made the shared pipe non-blocking, and its reader is slow.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
