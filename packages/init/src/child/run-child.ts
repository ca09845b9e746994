import type { InitConfig } from '../config/init-config.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { type ChildFds, type OwnFds, takeDescriptors } from './child-fds.ts';
import { type ChildState, type Stage, stages } from './stages.ts';
import { describeFailure } from './step-failure.ts';
import { sayError } from './sync-peer.ts';

/** What a child that failed exits with, as runc's does since 1.2. */
export const FAILED_CHILD_EXIT = 255;

/** Told of each stage right before it is run. */
export type StageObserver = (stage: Stage, state: ChildState) => void;

/**
 * The life of a forked child, from its first moment to its program.
 *
 * It never returns. A return would lead into the call stack of the process it was forked from, and
 * Node's own ways out hang there, because they wait for threads that this process does not have.
 */
export function runChild(sys: Syscall, fds: ChildFds, observe?: StageObserver): never {
  let step = 'descriptors';
  let own: OwnFds | undefined;
  try {
    own = takeDescriptors(sys, fds);
    step = 'config';
    const config = readConfig(sys, own.init);
    const state: ChildState = { sys, config, fds: own, root: -1, enteredCwd: false };
    for (const stage of stages) {
      if (config.entering && stage.alsoOnEntering !== true) continue;
      step = stage.name;
      observe?.(stage, state);
      stage.run(state);
    }
  } catch (error) {
    try {
      sayError(sys, own?.sync ?? fds.sync, describeFailure(step, error));
    } catch {
      // The parent is gone or has hung up; nobody is left to tell.
    }
  }
  return sys.exit(FAILED_CHILD_EXIT);
}

/** The parent closes the socket after the config, so its end is the end of file. */
function readConfig(sys: Syscall, init: number): InitConfig {
  const bytes = sys.readAll(init, 'the init socket');
  if (bytes.length === 0) throw new Error('the parent is gone: it sent no config');
  sys.close(init);
  return JSON.parse(new TextDecoder().decode(bytes)) as InitConfig;
}
