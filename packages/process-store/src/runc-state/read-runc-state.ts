import { readdir, readFile } from 'node:fs/promises';
import { BadRecordError, errnoCode, messageOf, NotFoundError, RuncStateError } from '../errors.ts';
import { isRuncId, runcLayout, type RuncLayout } from './runc-layout.ts';
import { decodeRuncState, type RuncState } from './runc-state.ts';
import { deriveRuncStatus, type RuncStatus } from './runc-status.ts';

/** A container of runc, with the facts that `runc state` prints. */
export interface RuncContainer {
  id: string;
  status: RuncStatus;
  /** Of its first process, 0 when stopped. It is no handle. */
  pid: number;
  /** Empty if runc was not told, which is when something else than its command line made the container. */
  bundle: string;
  rootfs: string;
  /** RFC 3339, with up to nine decimals of a second. */
  createdAt: string;
  annotations: Readonly<Record<string, string>>;
  ociVersion: string;
  /** All that `state.json` says. */
  state: RuncState;
}

/** What `listRuncStates` found. */
export interface RuncContainerList {
  /** Sorted by id. */
  containers: RuncContainer[];
  /** States that cannot be read. */
  problems: { id: string; problem: Error }[];
}

/**
 * Reads a container that runc 1.0 to 1.5, or `writeRuncState`, keeps under `runcRoot` (`/run/runc` unless runc was told
 * `--root`), and finds out where it stands.
 *
 * Changes nothing. Throws InvalidIdError, NotFoundError, BadRecordError.
 */
export async function readRuncState(runcRoot: string, id: string): Promise<RuncContainer> {
  const layout = runcLayout(runcRoot, id);
  const container = await readContainer(layout, id);
  if (container !== undefined) return container;
  throw new NotFoundError(id, layout.root, await listIds(layout.root));
}

/**
 * Reads all containers under `runcRoot`; none if it does not exist. What is being created, and has no state yet, is left
 * out. Throws RuncStateError if the directory cannot be read.
 */
export async function listRuncStates(runcRoot: string): Promise<RuncContainerList> {
  const list: RuncContainerList = { containers: [], problems: [] };
  for (const id of await listIds(runcRoot)) {
    try {
      const container = await readContainer(runcLayout(runcRoot, id), id);
      if (container !== undefined) list.containers.push(container);
    } catch (error) {
      list.problems.push({
        id,
        problem: error instanceof Error ? error : new Error(String(error)),
      });
    }
  }
  return list;
}

async function readContainer(layout: RuncLayout, id: string): Promise<RuncContainer | undefined> {
  let text: string;
  try {
    text = await readFile(layout.state, 'utf8');
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return undefined;
    throw new BadRecordError(layout.state, messageOf(error), error);
  }
  const state = decodeRuncState(text, layout.state);
  if (state.id !== id) throw new BadRecordError(layout.state, `id: is ${state.id}, not ${id}`);
  const status = await deriveRuncStatus(layout, state);
  const { config, created, init_process_pid } = state;
  const { bundle = '', ...annotations } = readLabels(config.labels ?? []);
  return {
    id,
    status,
    pid: status === 'stopped' ? 0 : init_process_pid,
    bundle,
    rootfs: config.rootfs,
    createdAt: created,
    annotations,
    ociVersion: config.version,
    state,
  };
}

/** `key=value`, where the last of several counts. */
function readLabels(labels: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    labels.flatMap((label): [string, string][] => {
      const end = label.indexOf('=');
      return end === -1 ? [] : [[label.slice(0, end), label.slice(end + 1)]];
    }),
  );
}

async function listIds(runcRoot: string): Promise<string[]> {
  try {
    const entries = await readdir(runcRoot, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && isRuncId(entry.name))
      .map(({ name }) => name)
      .toSorted();
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return [];
    throw new RuncStateError(runcRoot, messageOf(error), {
      hint: 'Name the directory that runc keeps its containers in, such as /run/runc, as a user who may read it.',
      cause: error,
    });
  }
}
