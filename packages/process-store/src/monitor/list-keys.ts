import { readdir } from 'node:fs/promises';
import { errnoCode } from '../errors.ts';
import type { StoreLayout } from '../layout.ts';

/** The keys of all records of a root; none if it has gone. */
export async function listKeys(layout: StoreLayout): Promise<string[]> {
  try {
    return await readdir(layout.records);
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return [];
    throw error;
  }
}
