/** What a line in the control fifo asks for. */
export type ControlMessage =
  | { type: 'closeStdin' }
  /** In characters, 0 to 65535. */
  | { type: 'resize'; width: number; height: number };

const MAX_SIZE = 0xffff;
/** Three decimals of 32 bits with their signs are shorter; what is longer cannot become a line that counts. */
const MAX_LINE_BYTES = 64;

/** The line for a message, `%d %d %d\n`: type, then width and height, in this order. */
export function formatControlLine(message: ControlMessage): string {
  return message.type === 'closeStdin' ? '0 0 0\n' : `1 ${message.width} ${message.height}\n`;
}

/**
 * The message in a line without its newline; undefined for one that asks for nothing: another type, a size that no terminal
 * can have, or no three decimals at all. What is not understood does nothing.
 */
export function parseControlLine(line: string): ControlMessage | undefined {
  const [, type, width, height] = /^([+-]?\d+) +([+-]?\d+) +([+-]?\d+)$/.exec(line) ?? [];
  switch (Number(type)) {
    case 0:
      return { type: 'closeStdin' };
    case 1:
      return isSize(Number(width)) && isSize(Number(height))
        ? { type: 'resize', width: Number(width), height: Number(height) }
        : undefined;
    default:
      return undefined;
  }
}

function isSize(value: number): boolean {
  return value >= 0 && value <= MAX_SIZE;
}

/** Puts lines together from pieces as they are read: a line may come in several, several lines in one. */
export class ControlLines {
  #rest = '';
  #tooLong = false;

  /** The messages of the lines that end in these bytes, in order. */
  push(bytes: Uint8Array): ControlMessage[] {
    const pieces = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      .toString('latin1')
      .split('\n');
    const last = pieces.pop() ?? '';
    const messages: ControlMessage[] = [];
    for (const piece of pieces) {
      this.#append(piece);
      const message = this.#tooLong ? undefined : parseControlLine(this.#rest);
      if (message !== undefined) messages.push(message);
      this.#rest = '';
      this.#tooLong = false;
    }
    this.#append(last);
    return messages;
  }

  #append(piece: string): void {
    this.#tooLong ||= this.#rest.length + piece.length > MAX_LINE_BYTES;
    this.#rest = this.#tooLong ? '' : this.#rest + piece;
  }
}
