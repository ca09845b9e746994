import { statSync } from 'node:fs';
import { namesIn } from '../disk/names-in.ts';
import { errnoCode } from '../errors.ts';
import type { StoreLayout } from '../layout.ts';
import { formatRecordKey } from './record-key.ts';

/** The keys of all records of a root, what was executed in containers included; none if it has gone. */
export async function listKeys(layout: StoreLayout): Promise<string[]> {
  const containers = await idsIn(layout.records);
  const execs = await Promise.all(containers.map((id) => listExecKeys(layout, id)));
  return [...containers, ...execs.flat()];
}

/** The keys of what was executed in a container. */
export async function listExecKeys(layout: StoreLayout, container: string): Promise<string[]> {
  const folder = layout.execs(container);
  // Most have none, and an error for each of them would be dear.
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return [];
  const ids = await idsIn(folder);
  return ids.map((exec) => formatRecordKey({ container, exec }));
}

/** The names in a folder of records; none where something else has its place, which whoever looks at it is told. */
export async function idsIn(folder: string): Promise<string[]> {
  try {
    return await namesIn(folder);
  } catch (error) {
    if (errnoCode(error) === 'ENOTDIR') return [];
    throw error;
  }
}
