import {
  failedStep,
  type HandshakeStep,
  type HandshakeTable,
} from '../handshake/handshake-table.ts';
import type { DialectTypeRule } from './dialect.ts';
import type { StreamType } from './stream-message.ts';

type Types<Type extends StreamType> = Readonly<Record<Type, DialectTypeRule>>;

/** Which exchanges a dialogue has. */
export type StreamExchanges = {
  /** procHooks and procResume, always exactly once. */
  readonly hooks?: true;
  /** procConsole, procConsoleReq, the master, procConsoleAck: at most once. */
  readonly console?: true;
  /** procReady and procRun, always exactly once. */
  readonly ready?: true;
  /** procStart instead of end of file. */
  readonly start?: true;
  /** procSeccomp and procSeccompDone: at most once. */
  readonly seccomp?: true;
};

/**
 * The order of a dialogue over a byte stream, made from the exchanges it has:
 *
 *     parent                                child
 *                        <-------------     procHooks
 *     procResume         ------------->
 *                        <-------------     procConsole            at most once
 *     procConsoleReq     ------------->
 *                        <-------------     the master, with SCM_RIGHTS
 *     procConsoleAck     ------------->
 *                        <-------------     procReady
 *     procRun            ------------->
 *                        <-------------     procSeccomp            at most once
 *     procSeccompDone    ------------->
 *                        <-------------     end of file
 *
 * The child may send procError at every step. Where there is no procReady, end of file is legal
 * from the start, and a child that died silently looks like one that succeeded.
 */
export function streamHandshake<Type extends StreamType>(
  name: string,
  types: Types<Type>,
  exchanges: StreamExchanges,
): HandshakeTable<Type> {
  const steps = stepsOf(exchanges);
  return Object.freeze({ name, types, start: Object.keys(steps)[0] ?? failedStep, steps });
}

type Steps = { [step: string]: HandshakeStep<StreamType> };

function stepsOf({ hooks, console, ready, start, seccomp }: StreamExchanges): Steps {
  const steps: Steps = {};
  const beforeReady = hooks === true ? 'hooks done' : 'setting up';
  if (hooks === true) {
    steps['setting up'] = awaiting({ procHooks: 'running hooks' });
    steps['running hooks'] = awaiting({ procResume: 'hooks done' });
  }
  const due: HandshakeStep<StreamType>['next'] =
    ready === true
      ? { procReady: 'ready' }
      : { ...(seccomp === true && { procSeccomp: 'awaiting seccomp' }) };
  const step = ready === true ? awaiting : ending;
  steps[beforeReady] = step({
    ...(console === true && { procConsole: 'awaiting console request' }),
    ...due,
  });
  if (console === true) {
    steps['awaiting console request'] = awaiting({ procConsoleReq: 'sending console' });
    steps['sending console'] = awaiting({ procConsoleAck: 'console sent' });
    steps['console sent'] = step(due);
  }
  if (ready === true) {
    steps['ready'] = awaiting({ procRun: 'released' });
    steps['released'] = ending({
      ...(start === true && { procStart: 'returned' }),
      ...(seccomp === true && { procSeccomp: 'awaiting seccomp' }),
    });
  }
  if (start === true) steps['returned'] = ending({});
  if (seccomp === true) {
    steps['awaiting seccomp'] = awaiting({ procSeccompDone: 'seccomp done' });
    steps['seccomp done'] = ending({});
  }
  steps[failedStep] = { next: {}, endOfFile: ['parent', 'child'] };
  return steps;
}

function awaiting(next: HandshakeStep<StreamType>['next']): HandshakeStep<StreamType> {
  return { next: { ...next, procError: failedStep }, endOfFile: [] };
}

function ending(next: HandshakeStep<StreamType>['next']): HandshakeStep<StreamType> {
  return { next: { ...next, procError: failedStep }, endOfFile: ['parent', 'child'] };
}
