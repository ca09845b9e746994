import type { LogStreamName } from '../stdio/log-fifo.ts';
import { formatCriTime, parseCriTime } from './cri-time.ts';

/** One line of a log in the format of Kubernetes' Container Runtime Interface. */
export interface CriLine {
  /** RFC 3339 as written, with up to nine digits after the point. */
  time: string;
  stream: LogStreamName;
  /** Whether the program's line goes on in the next line of the same stream, or ended without a newline. */
  partial: boolean;
  /** What the program wrote, without its newline; any bytes. */
  content: Buffer;
}

/** How much of a program's line one line of the log holds, in bytes; containerd's default. */
export const MAX_LINE_BYTES = 16_384;

const NEWLINE = 0x0a;
const SPACE = 0x20;

/** `<RFC 3339 with nanoseconds> <stdout|stderr> <P|F> <content>\n`, with content that holds no newline. */
export function formatCriLine(
  timeNs: bigint,
  stream: LogStreamName,
  partial: boolean,
  content: Uint8Array,
): Buffer {
  const header = criHeader(timeNs, stream, partial);
  const line = Buffer.allocUnsafe(header.length + content.length + 1);
  line.write(header, 'latin1');
  line.set(content, header.length);
  line[line.length - 1] = NEWLINE;
  return line;
}

/**
 * Reads one line, given without its newline; undefined if it is none. `content` shares the memory of `line`.
 *
 * Reads what containerd and conmon write as well: any offset, fewer digits, more tags after the first and a colon.
 */
export function parseCriLine(line: Uint8Array): CriLine | undefined {
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  const afterTime = bytes.indexOf(SPACE);
  const afterStream = bytes.indexOf(SPACE, afterTime + 1);
  if (afterTime < 0 || afterStream < 0) return undefined;
  const stream = bytes.toString('latin1', afterTime + 1, afterStream);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const space = bytes.indexOf(SPACE, afterStream + 1);
  // An empty line may have lost its last space on the way through an editor.
  const afterTags = space < 0 ? bytes.length : space;
  const [tag] = bytes.toString('latin1', afterStream + 1, afterTags).split(':', 1);
  if (tag !== 'P' && tag !== 'F') return undefined;
  const time = bytes.toString('latin1', 0, afterTime);
  if (parseCriTime(time) === undefined) return undefined;
  return { time, stream, partial: tag === 'P', content: bytes.subarray(afterTags + 1) };
}

/** What comes before the content, with the space after it. */
function criHeader(timeNs: bigint, stream: LogStreamName, partial: boolean): string {
  return `${formatCriTime(timeNs)} ${stream} ${partial ? 'P' : 'F'} `;
}

/**
 * Makes lines of what a program writes, in whatever chunks that comes: no byte is lost or changed, and the lines do not depend
 * on the chunks. What comes after the last newline is kept until more comes or {@link end}.
 */
export class CriEncoder {
  readonly #stream: LogStreamName;
  readonly #maxLineBytes: number;
  /** The beginning of a line, at most `maxLineBytes` long. */
  #held: Buffer = Buffer.alloc(0);

  /** `maxLineBytes`, at least 1, is of content; a longer line is cut into partial ones and its rest. */
  constructor(stream: LogStreamName, maxLineBytes: number = MAX_LINE_BYTES) {
    this.#stream = stream;
    this.#maxLineBytes = maxLineBytes;
  }

  /** How many bytes are kept for a line that has not ended. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** The lines that are complete with `chunk`, each with `timeNs`. Keeps nothing of the memory of `chunk`. */
  encode(chunk: Uint8Array, timeNs: bigint): Buffer[] {
    const bytes = this.#held.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#held, chunk]);
    const lines: Buffer[] = [];
    let start = 0;
    // What was kept has no newline.
    let search = this.#held.length;
    for (;;) {
      const newline = bytes.indexOf(NEWLINE, search);
      const end = newline < 0 ? bytes.length : newline;
      // Only what is longer is cut: a line of exactly the limit is whole, if its newline comes next.
      for (; end - start > this.#maxLineBytes; start += this.#maxLineBytes) {
        lines.push(this.#format(timeNs, true, bytes.subarray(start, start + this.#maxLineBytes)));
      }
      if (newline < 0) break;
      lines.push(this.#format(timeNs, false, bytes.subarray(start, newline)));
      start = newline + 1;
      search = start;
    }
    this.#held = bytes.subarray(start);
    return lines;
  }

  /** The line that had no newline, as a partial one, if there is any. Encoding may go on afterwards. */
  end(timeNs: bigint): Buffer[] {
    if (this.#held.length === 0) return [];
    const line = this.#format(timeNs, true, this.#held);
    this.#held = Buffer.alloc(0);
    return [line];
  }

  #format(timeNs: bigint, partial: boolean, content: Uint8Array): Buffer {
    return formatCriLine(timeNs, this.#stream, partial, content);
  }
}
