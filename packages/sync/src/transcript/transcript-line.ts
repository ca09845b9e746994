import * as z from 'zod/mini';
import { JsonError, MalformedTranscriptError } from '../errors.ts';
import type { JsonObject, JsonValue } from '../json/json-value.ts';
import { parseExactJson } from '../json/parse.ts';
import { stringifyExactJson } from '../json/stringify.ts';
import type { SyncEnd } from '../sync-type.ts';
import { isDialectName, type DialectName } from '../dialects/dialects.ts';
import { fromBase64 } from './base64.ts';

/** A descriptor as a transcript knows it. */
export type TranscriptFd = {
  /** Its number in the process that recorded. */
  readonly fd: number;
  /** What it is, in the words of whoever recorded, for example `mount source`. */
  readonly kind: string;
};

/** The first line: what was recorded, and by whom. */
export type TranscriptBegin = {
  readonly event: 'begin';
  readonly format: 1;
  /** RFC 3339 with milliseconds, as in every line. */
  readonly time: string;
  readonly dialect: DialectName;
  /** The end whose channel was tapped. */
  readonly recordedBy: SyncEnd;
};

/** Bytes that one end sent. */
export type TranscriptData = {
  readonly event: 'data';
  readonly time: string;
  /** The end that sent it. */
  readonly from: SyncEnd;
  /** The bytes in base64: one packet, one message, or one piece of a stream. */
  readonly raw: string;
  /** The messages that these bytes completed; none for a piece that completes nothing. */
  readonly messages: readonly TranscriptMessage[];
  readonly fds?: readonly TranscriptFd[];
  /** Why the bytes could not be decoded. */
  readonly undecoded?: string;
};

/** A message of any dialect, as JSON. */
export type TranscriptMessage = JsonObject & { readonly type: string };

/** End of file, seen by the other end, or a close by the end that recorded. */
export type TranscriptEnd = {
  readonly event: 'end';
  readonly time: string;
  readonly from: SyncEnd;
};

/** What sending or receiving failed with. */
export type TranscriptFailure = {
  readonly event: 'failure';
  readonly time: string;
  /** The end that was to send. */
  readonly from: SyncEnd;
  readonly code: string;
  readonly message: string;
};

/** One line of a transcript. */
export type TranscriptLine = TranscriptBegin | TranscriptData | TranscriptEnd | TranscriptFailure;

const time = /* @__PURE__ */ z
  .string()
  .check(
    /* @__PURE__ */ z.regex(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
      'expected a time in UTC with milliseconds',
    ),
  );
const end = /* @__PURE__ */ z.enum(['parent', 'child']);

/** The schema of {@link TranscriptLine}; it lets members pass that it does not know. */
export const transcriptLineSchema: z.ZodMiniType<TranscriptLine> = /* @__PURE__ */ z.union([
  /* @__PURE__ */ z.looseObject({
    event: /* @__PURE__ */ z.literal('begin'),
    format: /* @__PURE__ */ z.literal(1),
    time,
    dialect: /* @__PURE__ */ z.custom<DialectName>(
      (name) => typeof name === 'string' && isDialectName(name),
      'expected the name of a dialect',
    ),
    recordedBy: end,
  }),
  /* @__PURE__ */ z.looseObject({
    event: /* @__PURE__ */ z.literal('data'),
    time,
    from: end,
    raw: /* @__PURE__ */ z.custom<string>(
      (raw) => typeof raw === 'string' && fromBase64(raw) !== undefined,
      'expected base64',
    ),
    messages: /* @__PURE__ */ z.array(
      /* @__PURE__ */ z.looseObject({ type: /* @__PURE__ */ z.string() }),
    ),
    fds: /* @__PURE__ */ z.exactOptional(
      /* @__PURE__ */ z.array(
        /* @__PURE__ */ z.object({
          fd: /* @__PURE__ */ z.int().check(/* @__PURE__ */ z.gte(0)),
          kind: /* @__PURE__ */ z.string(),
        }),
      ),
    ),
    undecoded: /* @__PURE__ */ z.exactOptional(/* @__PURE__ */ z.string()),
  }),
  /* @__PURE__ */ z.looseObject({ event: /* @__PURE__ */ z.literal('end'), time, from: end }),
  /* @__PURE__ */ z.looseObject({
    event: /* @__PURE__ */ z.literal('failure'),
    time,
    from: end,
    code: /* @__PURE__ */ z.string(),
    message: /* @__PURE__ */ z.string(),
  }),
]) as unknown as z.ZodMiniType<TranscriptLine>;

/** The text of a line, without the newline. */
export function stringifyTranscriptLine(line: TranscriptLine): string {
  return stringifyExactJson(line);
}

/**
 * The lines of a transcript. Empty lines are passed over; a last line without a newline is read too.
 * Throws MalformedTranscriptError, with the number of the line, for a line that is none, and when
 * the first is not `begin` or another one is.
 */
export function parseTranscript(text: string): readonly TranscriptLine[] {
  const lines: TranscriptLine[] = [];
  for (const [index, written] of text.split('\n').entries()) {
    if (written.trim() === '') continue;
    const line = parseLine(written, index + 1);
    if ((line.event === 'begin') !== (lines.length === 0)) {
      throw new MalformedTranscriptError(
        index + 1,
        lines.length === 0 ? 'it does not begin with "begin"' : 'it begins a second time',
      );
    }
    lines.push(line);
  }
  if (lines.length === 0) throw new MalformedTranscriptError(1, 'it is empty');
  return lines;
}

function parseLine(text: string, number: number): TranscriptLine {
  let value: JsonValue;
  try {
    value = parseExactJson(text);
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw new MalformedTranscriptError(number, 'it is not JSON', { cause });
  }
  const result = transcriptLineSchema.safeParse(value);
  if (result.success) return result.data;
  throw new MalformedTranscriptError(number, 'it has not the members of a transcript line', {
    cause: result.error,
  });
}
