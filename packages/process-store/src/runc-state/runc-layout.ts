import { join, resolve } from 'node:path';
import { InvalidIdError } from '../errors.ts';

/** The paths of one container under the root of runc (`/run/runc` unless runc is told `--root`). */
export interface RuncLayout {
  root: string;
  /** Mode 0711. */
  directory: string;
  /** Mode 0600. */
  state: string;
  /** There while the container is created and not started. */
  execFifo: string;
}

/**
 * Where runc keeps a container. Throws InvalidIdError for an id that runc would not take.
 *
 * runc takes `A-Z a-z 0-9 _ + - .`, and up to 1.1 the comma as well, which lies between `+` and `-`.
 */
export function runcLayout(runcRoot: string, id: string): RuncLayout {
  if (!isRuncId(id)) throw new InvalidIdError(id, 'is no name that runc takes');
  const root = resolve(runcRoot);
  const directory = join(root, id);
  return {
    root,
    directory,
    state: join(directory, 'state.json'),
    execFifo: join(directory, 'exec.fifo'),
  };
}

/** Whether runc would take it as an id. */
export function isRuncId(id: unknown): id is string {
  return typeof id === 'string' && /^[\w+,.-]{1,255}$/.test(id) && id !== '.' && id !== '..';
}
