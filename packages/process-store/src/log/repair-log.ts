import type { FileHandle } from 'node:fs/promises';
import { MAX_LINE_BYTES, parseCriLine } from './cri-line.ts';

const NEWLINE = 0x0a;
/** More than one of our lines: content, header and newline. */
const WINDOW_BYTES = 2 * MAX_LINE_BYTES;

/**
 * Makes the last line of a log whole that a crash, or want of space, cut off: given a newline if its header is there, so that
 * the content is kept; removed if not even that is, and then no content is lost. `file` is open to read and to append, and
 * nobody else writes. Returns the file's size. Throws Node's error.
 */
export async function repairLog(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  if (size === 0) return 0;
  const window = Buffer.alloc(Math.min(size, WINDOW_BYTES));
  const { bytesRead } = await file.read(window, 0, window.length, size - window.length);
  const tail = window.subarray(0, bytesRead);
  const torn = tail.subarray(tail.lastIndexOf(NEWLINE) + 1);
  if (torn.length === 0) return size;
  const isWholeWindow = torn.length === size || torn.length < tail.length;
  if (isWholeWindow && !hasHeader(torn)) {
    await file.truncate(size - torn.length);
    return size - torn.length;
  }
  try {
    await file.write(Buffer.of(NEWLINE));
    return size + 1;
  } catch (error) {
    // A full disk: shorter is possible, longer is not.
    if (!isWholeWindow) throw error;
    await file.truncate(size - torn.length);
    return size - torn.length;
  }
}

/** With the space that ends it: without, a tag may still have been to come. */
function hasHeader(torn: Buffer): boolean {
  const parts = torn.toString('latin1', 0, 100).split(' ');
  return parts.length > 3 && parseCriLine(torn) !== undefined;
}
