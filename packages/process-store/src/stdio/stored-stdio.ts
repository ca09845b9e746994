import { z } from 'zod';

/** Nothing to read, and a place for output that nobody wants: /dev/null. */
export interface NullStream {
  kind: 'null';
}

/** A regular file: read from its beginning, or appended to by the process itself. */
export interface FileStream {
  kind: 'file';
  /** Absolute. */
  path: string;
  /** Permissions, less the umask, if output makes the file; 0o640 by default. Standard input never makes one. */
  mode?: number | undefined;
}

/** A fifo that somebody else has made and holds the other side of. */
export interface FifoStream {
  kind: 'fifo';
  /** Absolute. */
  path: string;
}

/** A fifo in the record's own folder, from which the log is pumped. */
export interface LogStream {
  kind: 'log';
}

/** Where standard input may come from. */
export type StoredInput = NullStream | FileStream | FifoStream;
/** Where an output may go. */
export type StoredOutput = NullStream | FileStream | FifoStream | LogStream;

/** The three streams of a process without a terminal. */
export interface StoredStreams {
  stdin: StoredInput;
  stdout: StoredOutput;
  stderr: StoredOutput;
}

/** The streams are a terminal, whose master the monitor holds. */
export interface StoredTerminal {
  terminal: true;
}

/** The standard streams of a process that outlives its launcher: what a restart needs to open them again. */
export type StoredStdio = StoredStreams | StoredTerminal;

const absolutePath = z
  .string()
  .startsWith('/', { error: 'must be an absolute path' })
  .refine((path) => !path.includes('\0'), { error: 'must not contain a NUL byte' });

const nullStream = z.strictObject({ kind: z.literal('null') });
const fileStream = z.strictObject({
  kind: z.literal('file'),
  path: absolutePath,
  mode: z.int().min(0).max(0o777).optional(),
});
const fifoStream = z.strictObject({ kind: z.literal('fifo'), path: absolutePath });
const logStream = z.strictObject({ kind: z.literal('log') });

const output = z.discriminatedUnion('kind', [nullStream, fileStream, fifoStream, logStream]);

export const storedStreamsSchema: z.ZodType<StoredStreams> = z.strictObject({
  stdin: z.discriminatedUnion('kind', [nullStream, fileStream, fifoStream]),
  stdout: output,
  stderr: output,
});

export const storedStdioSchema: z.ZodType<StoredStdio> = z.union([
  storedStreamsSchema,
  z.strictObject({ terminal: z.literal(true) }),
]);

/** Whether the streams are a terminal. */
export function isStoredTerminal(stdio: StoredStdio): stdio is StoredTerminal {
  return 'terminal' in stdio;
}
