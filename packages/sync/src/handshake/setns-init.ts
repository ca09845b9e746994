import { failedStep, type HandshakeTable } from './handshake-table.ts';

/**
 * Joining a running container, in the packet dialect since runc 1.2.0-rc.2.
 *
 *     parent                                child
 *                        <-------------     procReady
 *     procRun            ------------->                            after the resource limits are set
 *                        <-------------     procSeccomp            at most once
 *     procSeccompDone    ------------->
 *                        <-------------     end of file            the child executes its program
 *
 * No hooks and no mounts: a parent that sees procHooks or procMountPlease here stops the launch.
 */
export const setnsInit: HandshakeTable = {
  name: 'setns init',
  start: 'joining',
  steps: {
    joining: {
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

/**
 * Joining a running container with runc 1.2.0-rc.1 alone: a child that succeeds says nothing,
 * so end of file is success from the start and a lost child looks the same.
 */
export const setnsInitSilent: HandshakeTable = {
  name: 'setns init of runc 1.2.0-rc.1',
  start: 'joining',
  steps: {
    joining: {
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
