import { join } from 'node:path/posix';
import { namesIn } from '../disk/names-in.ts';
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
  return (await namesIn(directory))
    .filter((name) => /^[0-9a-f]{8}-\d{12}\.jsonl$/.test(name))
    .toSorted()
    .map((name) => segmentAt(directory, parseCursor(name.slice(0, -SUFFIX.length))));
}
