import { statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { errnoCode } from '../errors.ts';
import type { StoreLayout } from '../layout.ts';
import { formatRecordKey } from '../record/record-key.ts';

/** The keys of all records of a root, what was executed in containers included; none if it has gone. */
export async function listKeys(layout: StoreLayout): Promise<string[]> {
  const containers = await namesIn(layout.records);
  const execs = await Promise.all(containers.map((id) => listExecKeys(layout, id)));
  return [...containers, ...execs.flat()];
}

/** The keys of what was executed in a container. */
export async function listExecKeys(layout: StoreLayout, container: string): Promise<string[]> {
  const folder = layout.execs(container);
  // Most have none, and an error for each of them would be dear.
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return [];
  const ids = await namesIn(folder);
  return ids.map((exec) => formatRecordKey({ container, exec }));
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoCode(error) === 'ENOENT' || errnoCode(error) === 'ENOTDIR') return [];
    throw error;
  }
}
