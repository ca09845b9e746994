import { dialects } from '../dialects/dialects.ts';
import { stringifyExactJson } from '../json/stringify.ts';
import type { SyncEnd } from '../sync-type.ts';
import type { TranscriptLine, TranscriptMessage } from './transcript-line.ts';

/** How a transcript is drawn. */
export type RenderOptions = {
  /** The longest line, in characters; 100 when absent, and never less than 50. */
  readonly width?: number;
};

/**
 * A transcript as a dialogue in two columns, the parent's on the left, with the milliseconds since
 * it began in front:
 *
 *         ms  parent                         child
 *          0                 <-------------  procReady
 *          3  procRun        ------------->
 *          5                 <-------------  end of file
 *
 * Long messages continue on the next line. Characters that a terminal would obey are escaped.
 */
export function renderTranscript(
  lines: readonly TranscriptLine[],
  options: RenderOptions = {},
): string {
  const width = Math.max(50, options.width ?? 100);
  const column = Math.floor((width - timeWidth - arrowWidth - 6) / 2);
  const begin = lines[0];
  const start = begin === undefined ? 0 : Date.parse(begin.time);
  const drawn = [heading(begin), '', row('ms', 'parent', '', 'child', column)];
  for (const line of lines) {
    if (line.event === 'begin') continue;
    const elapsed = String(Date.parse(line.time) - start);
    for (const [index, text] of textsOf(line).entries()) {
      drawn.push(...entry(index === 0 ? elapsed : '', line.from, text, column));
    }
  }
  if (!lines.some(({ event }) => event === 'end')) drawn.push('', 'The recording breaks off here.');
  return `${drawn.map((text) => text.trimEnd()).join('\n')}\n`;
}

const timeWidth = 8;
const arrowWidth = 14;
const toChild = '------------->';
const toParent = '<-------------';

function heading(begin: TranscriptLine | undefined): string {
  if (begin?.event !== 'begin') return 'a transcript without its beginning';
  const { spokenBy } = dialects[begin.dialect];
  return `${begin.dialect} (${spokenBy}), recorded by the ${begin.recordedBy} at ${begin.time}`;
}

function textsOf(line: Exclude<TranscriptLine, { event: 'begin' }>): readonly string[] {
  switch (line.event) {
    case 'end':
      return ['end of file'];
    case 'failure':
      return [`failed: ${line.code}: ${line.message}`];
    case 'data': {
      const texts = line.messages.map(messageText);
      if (line.undecoded !== undefined) texts.push(`not decoded: ${line.undecoded}`);
      for (const { fd, kind } of line.fds ?? []) texts.push(`+ fd ${fd} (${kind})`);
      if (texts.length === 0) texts.push(`${byteCount(line.raw)} bytes`);
      return texts;
    }
  }
}

function messageText({ type, flags: _flags, arg, ...rest }: TranscriptMessage): string {
  const parts = [type];
  // The argument is JSON text already.
  if (typeof arg === 'string') parts.push(arg);
  if (Object.keys(rest).length > 0) parts.push(stringifyExactJson(rest));
  return parts.join(' ');
}

function byteCount(raw: string): number {
  return Math.floor((raw.replace(/=+$/, '').length * 3) / 4);
}

function entry(time: string, from: SyncEnd, text: string, column: number): readonly string[] {
  return pieces(printable(text), column).map((piece, index) => {
    const arrow = index > 0 ? '' : from === 'parent' ? toChild : toParent;
    const shown = index > 0 ? '' : time;
    return from === 'parent'
      ? row(shown, piece, arrow, '', column)
      : row(shown, '', arrow, piece, column);
  });
}

function row(time: string, left: string, arrow: string, right: string, column: number): string {
  return [time.padStart(timeWidth), left.padEnd(column), arrow.padEnd(arrowWidth), right].join(
    '  ',
  );
}

/** The text in pieces of at most `length` characters, none of them cut inside a character. */
function pieces(text: string, length: number): readonly string[] {
  const characters = Array.from(text);
  const parts: string[] = [];
  for (let at = 0; at < characters.length; at += length) {
    parts.push(characters.slice(at, at + length).join(''));
  }
  return parts.length === 0 ? [''] : parts;
}

/** The text with control characters and those that turn the direction of writing as escapes. */
function printable(text: string): string {
  return text.replace(
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
