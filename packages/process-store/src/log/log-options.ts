import { z } from 'zod';
import { LogOptionError } from '../errors.ts';
import type { NullStream, FileStream, LogStream } from '../stdio/stored-stdio.ts';

/** Output is thrown away. */
export interface NoLog {
  driver: 'none';
}

/** The process appends to the file itself: raw, both streams in one, of any size. */
export interface FileLog {
  driver: 'file';
  /** Absolute. */
  path: string;
}

/** The monitor writes lines with their time and stream, and rotates. */
export interface CriLog {
  driver: 'cri';
  /** Absolute; older parts are beside it, as `<path>.1` and so on. */
  path: string;
  /** How large a file may grow, in bytes from 1; null for no limit. */
  maxBytes: number | null;
  /** How many files there may be, the current one included; 1 to 1000. */
  maxFiles: number;
}

/** Where the output of a process goes, as its record keeps it. */
export type StoredLog = NoLog | FileLog | CriLog;

const absolutePath = z.string().startsWith('/', { error: 'must be an absolute path' });

export const storedLogSchema: z.ZodType<StoredLog> = z.discriminatedUnion('driver', [
  z.strictObject({ driver: z.literal('none') }),
  z.strictObject({ driver: z.literal('file'), path: absolutePath }),
  z.strictObject({
    driver: z.literal('cri'),
    path: absolutePath,
    maxBytes: z.int().min(1).nullable(),
    maxFiles: z.int().min(1).max(1000),
  }),
]);

const DEFAULT_MAX_BYTES = 10 * 1024 * 1024;
const DEFAULT_MAX_FILES = 5;

/** The options of each driver. */
const OPTIONS: Readonly<Record<StoredLog['driver'], readonly string[]>> = {
  none: [],
  file: ['path'],
  cri: ['path', 'max-size', 'max-file'],
};

/**
 * Reads a driver and its options as a command line has them: `none`; `file` with `path`; `cri` with `path`, `max-size` (bytes,
 * or with k, m, g for powers of 1024, 10m by default, -1 for no limit) and `max-file` (1 to 1000, 5 by default).
 *
 * `defaultPath` stands in for a path that is not given. Throws LogOptionError.
 */
export function parseLogOptions(
  driver: string,
  options: Readonly<Record<string, string>>,
  defaultPath?: string,
): StoredLog {
  if (!isDriver(driver)) {
    throw new LogOptionError(
      'driver',
      `use log driver ${JSON.stringify(driver)}: there is none of that name`,
      `Use one of ${Object.keys(OPTIONS).join(', ')}.`,
    );
  }
  const known = OPTIONS[driver];
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue;
    throw new LogOptionError(
      option,
      `use option ${JSON.stringify(option)} with log driver ${driver}: it has no such option`,
      known.length === 0 ? 'Give it no options.' : `It has ${known.join(', ')}.`,
    );
  }
  if (driver === 'none') return { driver };
  const path = parsePath(options['path'] ?? defaultPath);
  if (driver === 'file') return { driver, path };
  const maxBytes = parseSize(options['max-size']);
  return { driver, path, maxBytes, maxFiles: parseCount(options['max-file']) };
}

/** What a log means for the output streams of the process. */
export function stdioOfLog(log: StoredLog): {
  stdout: NullStream | FileStream | LogStream;
  stderr: NullStream | FileStream | LogStream;
} {
  if (log.driver === 'cri') return { stdout: { kind: 'log' }, stderr: { kind: 'log' } };
  const stream: NullStream | FileStream =
    log.driver === 'none' ? { kind: 'null' } : { kind: 'file', path: log.path };
  return { stdout: stream, stderr: { ...stream } };
}

function isDriver(driver: string): driver is StoredLog['driver'] {
  return Object.hasOwn(OPTIONS, driver);
}

function parsePath(path: string | undefined): string {
  if (path !== undefined && path.startsWith('/') && !/\/$|\0/.test(path)) return path;
  const shown = path === undefined ? 'nothing' : JSON.stringify(path);
  throw new LogOptionError(
    'path',
    `use ${shown} as path of a log: it is not the absolute path of a file`,
    'Give path=/an/absolute/path.',
  );
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

function parseSize(text: string | undefined): number | null {
  if (text === undefined) return DEFAULT_MAX_BYTES;
  if (text === '-1') return null;
  const match = /^(\d{1,15})([kmg]?)b?$/i.exec(text);
  const bytes = match === null ? 0 : Number(match[1]) * UNITS[match[2]!.toLowerCase()]!;
  if (Number.isSafeInteger(bytes) && bytes >= 1) return bytes;
  throw new LogOptionError(
    'max-size',
    `use ${JSON.stringify(text)} as max-size: it is not a size`,
    'Give bytes from 1, such as 4096, 100k, 10m or 1g, or -1 for no limit.',
  );
}

function parseCount(text: string | undefined): number {
  if (text === undefined) return DEFAULT_MAX_FILES;
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= 1000) return count;
  throw new LogOptionError(
    'max-file',
    `use ${JSON.stringify(text)} as max-file: it is not a number of files`,
    'Give a whole number from 1 to 1000; 1 keeps no older file.',
  );
}
