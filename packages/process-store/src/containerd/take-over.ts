import { stat } from 'node:fs/promises';
import type { OwnedFd } from '@pilotlight/scm-rights';
import { errnoCode, isStoreError } from '../errors.ts';
import type { FoundProcess } from './find-process.ts';
import { openControl, openExitWriter } from './fifos.ts';
import type { ProcessPaths } from './layout.ts';
import { readIfThere } from './layout-file.ts';
import { reopenStdinWriter } from './open-stream.ts';
import type { ProcessSpec } from './process-json.ts';
import { processKey } from './process-key.ts';
import { decodeContainerState } from './state-json.ts';
import type { SupervisedStore } from './supervised-store.ts';
import { type Handles, type Subject, Supervision } from './supervision.ts';
import { Terminal } from './terminal.ts';

/** What is taken over. */
export interface Orphan {
  store: SupervisedStore;
  container: string;
  id: string;
  paths: ProcessPaths;
  spec: ProcessSpec;
  found: FoundProcess;
}

/**
 * Opens again all that a start opens, and supervises the process from now on. What it missed it finds out at once: an end that
 * came meanwhile is written down. The caller holds an exit reader open.
 *
 * Takes over `lock`, and `control` if the caller has that fifo open already, also when it throws.
 */
export async function takeOver(
  orphan: Orphan,
  lock: OwnedFd,
  control?: OwnedFd,
): Promise<Supervision> {
  const { paths, found, spec } = orphan;
  const opened: { close(): void | Promise<void> }[] = [lock];
  if (control !== undefined) opened.push(control);
  try {
    await killWithoutBundle(orphan);
    const handles: Handles = {
      lock,
      control: control ?? openControl(paths.file('control')),
      exitWriter: undefined as never,
      stdinWriter: undefined,
      terminal: undefined,
    };
    if (control === undefined) opened.push(handles.control);
    handles.exitWriter = openExitWriter(paths.file('exit'));
    opened.push(handles.exitWriter);
    // A process that has ended needs no input, and its terminal is gone.
    if (found.exit === undefined) await restoreStdio(orphan, handles);
    return new Supervision(subjectOf(orphan), handles);
  } catch (error) {
    for (const one of opened) await one.close();
    throw error;
  }

  async function restoreStdio(of: Orphan, handles: Handles): Promise<void> {
    const keepStdin = (await readIfThere(paths.file('stdinClosed'))) === undefined;
    if (spec.process.terminal !== true) {
      if (keepStdin) handles.stdinWriter = reopenStdinWriter(spec.stdio.stdin);
      if (handles.stdinWriter !== undefined) opened.push(handles.stdinWriter);
      return;
    }
    const master = await openMaster(of.store, processKey(of.container, of.id));
    if (master === undefined) return;
    handles.terminal = Terminal.join(master, spec.stdio, { keepStdin });
    opened.push(handles.terminal);
  }
}

/** What a supervision has to know. */
export function subjectOf({ store, container, id, paths, found }: Orphan): Subject {
  return {
    key: processKey(container, id),
    id,
    paths,
    process: found,
    hasEnded: async (exec) => {
      const { exit } = await store.load(processKey(container, exec));
      return exit !== undefined;
    },
  };
}

/** A container whose bundle has vanished cannot be managed any more: it is ended, and its end written down as any other. */
async function killWithoutBundle({ paths, found }: Orphan): Promise<void> {
  if (found.exit !== undefined) return;
  const path = `${paths.container}/state.json`;
  const text = await readIfThere(path);
  if (text === undefined) return;
  try {
    await stat(decodeContainerState(text, path).bundle);
  } catch (error) {
    if (errnoCode(error) !== 'ENOENT') throw error;
    try {
      await found.signal('SIGKILL');
    } catch (failure) {
      if (!isStoreError(failure, 'ERR_STORE_NOT_RUNNING')) throw failure;
    }
  }
}

/** The master of its terminal, if somebody holds one. */
async function openMaster(store: SupervisedStore, key: string): Promise<OwnedFd | undefined> {
  try {
    return await store.console?.(key);
  } catch (error) {
    if (isStoreError(error, 'ERR_STORE_NO_CONSOLE')) return undefined;
    throw error;
  }
}
