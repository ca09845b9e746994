import { InvalidCursorError } from '../errors.ts';

/** A place in a journal, after the entry `seq`. */
export interface Cursor {
  /** Which journal: another one is begun when the root was emptied and is used again. */
  journal: string;
  seq: number;
}

const SEQ_DIGITS = 12;

/** The text form, which sorts in the order of the journal. */
export function formatCursor({ journal, seq }: Cursor): string {
  return `${journal}-${String(seq).padStart(SEQ_DIGITS, '0')}`;
}

/** Throws InvalidCursorError. */
export function parseCursor(text: string): Cursor {
  const [, journal, seq] = /^([0-9a-f]{8})-(\d{12})$/.exec(text) ?? [];
  if (journal === undefined || seq === undefined) throw new InvalidCursorError(text);
  return { journal, seq: Number(seq) };
}
