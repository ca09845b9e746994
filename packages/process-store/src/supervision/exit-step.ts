/**
 * The steps of an exit, each named for what is true after it: the status is known, `exit.json` is written, the process is
 * reaped (where we are its parent), its pin is gone (tier A), the journal tells its end.
 */
export type ExitStep = 'ended' | 'exitRecorded' | 'reaped' | 'unpinned' | 'exitTold';

/** Called after each step, before the next one; for tests that stop there. */
export type AtExit = (step: ExitStep) => Promise<void> | void;

export const nowhere: AtExit = () => undefined;
