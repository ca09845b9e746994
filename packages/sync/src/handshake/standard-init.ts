import { failedStep, type HandshakeTable } from './handshake-table.ts';

/**
 * Creating a container, in the packet dialect (runc 1.2.0-rc.1 to 1.5.1).
 *
 *     parent                                child
 *                        <-------------     procMountPlease        any number of times
 *     procMountFd + file ------------->
 *                        <-------------     procHooks              always, hooks or not
 *     procHooksDone      ------------->
 *                        <-------------     procReady
 *     procRun            ------------->
 *                        <-------------     procSeccomp            at most once
 *     procSeccompDone    ------------->
 *                        <-------------     end of file            the child executes its program
 *
 * procError may come from the child at every step, also while it awaits an answer: that is how it
 * reports that the answer was no use. End of file counts as success for the parent only after
 * procRun and with no answer outstanding. The child may see it only when it awaits nothing more.
 */
export const standardInit: HandshakeTable = {
  name: 'standard init',
  start: 'setting up',
  steps: {
    'setting up': {
      next: {
        procMountPlease: 'awaiting mount source',
        procHooks: 'running hooks',
        procError: failedStep,
      },
      endOfFile: [],
    },
    'awaiting mount source': {
      next: { procMountFd: 'setting up', procError: failedStep },
      endOfFile: [],
    },
    'running hooks': {
      next: { procHooksDone: 'hooks done', procError: failedStep },
      endOfFile: [],
    },
    'hooks done': {
      next: { procReady: 'ready', procError: failedStep },
      endOfFile: [],
    },
    ready: {
      next: { procRun: 'released', procError: failedStep },
      endOfFile: [],
    },
    released: {
      next: { procSeccomp: 'awaiting seccomp', procError: failedStep },
      endOfFile: ['parent', 'child'],
    },
    'awaiting seccomp': {
      next: { procSeccompDone: 'seccomp done', procError: failedStep },
      endOfFile: [],
    },
    'seccomp done': {
      next: { procError: failedStep },
      endOfFile: ['parent', 'child'],
    },
    [failedStep]: { next: {}, endOfFile: ['parent', 'child'] },
  },
};
