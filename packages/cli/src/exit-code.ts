import type { ExitRecord } from '@pilotlight/process-store';

/**
 * What `pilotlight` exits with. `run` in the foreground exits with the program's own status, so these overlap with
 * what a program may choose itself; a message on standard error tells our own apart.
 *
 * | code    | meaning                                                              |
 * | ------- | -------------------------------------------------------------------- |
 * | 0       | done; `run`: the program exited with 0                               |
 * | 1–123   | `run`: the program exited with it                                    |
 * | 124     | `run`, `wait`: a program has ended and nobody can tell how           |
 * | 125     | pilotlight itself failed, or was used wrongly                        |
 * | 126     | `run`: the program is there but cannot be executed                   |
 * | 127     | `run`: there is no such program                                      |
 * | 128 + n | `run`: signal n ended the program, or the launch before it ran       |
 */
export const exitCodes = {
  success: 0,
  unknownStatus: 124,
  failure: 125,
  cannotExecute: 126,
  programNotFound: 127,
  signalBase: 128,
} as const;

/** The exit code that stands for the end of a program. */
export function exitCodeOfEnd(exit: ExitRecord): number {
  switch (exit.kind) {
    case 'exited':
      return exit.code;
    case 'signaled':
      return exitCodes.signalBase + exit.signal;
    case 'unknown':
      return exitCodes.unknownStatus;
  }
}
