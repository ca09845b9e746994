import { readdir } from 'node:fs/promises';
import { join } from 'node:path/posix';
import { errnoCode } from '../errors.ts';
import { type Cursor, formatCursor, parseCursor } from './cursor.ts';

/** A file of the journal; it is named after the cursor of its first entry. */
export interface Segment extends Cursor {
  path: string;
}

const SUFFIX = '.jsonl';

/** The file that begins with that entry. */
export function segmentAt(directory: string, first: Cursor): Segment {
  return { ...first, path: join(directory, `${formatCursor(first)}${SUFFIX}`) };
}

/** The files of the journal, oldest first; none if there is no journal. */
export async function listSegments(directory: string): Promise<Segment[]> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return [];
    throw error;
  }
  return names
    .filter((name) => /^[0-9a-f]{8}-\d{12}\.jsonl$/.test(name))
    .toSorted()
    .map((name) => segmentAt(directory, parseCursor(name.slice(0, -SUFFIX.length))));
}
