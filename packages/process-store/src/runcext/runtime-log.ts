import { constants } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RuntimeOptions } from './runtime-command.ts';

const MAX_BYTES = 65_536;
/** Where the runtime finds a log of ours, which has no name. */
const LOG_FD = 3;

/** The log that a runtime is going to write, and what it says in it about its failure. */
export class RuntimeLog implements AsyncDisposable {
  /** The options to run the runtime with. */
  readonly options: RuntimeOptions;
  /** What the runtime must have as descriptor 3, if anything. */
  readonly fd: number | undefined;
  readonly #file: FileHandle | undefined;
  readonly #start: number;

  private constructor(
    options: RuntimeOptions,
    file: FileHandle | undefined,
    start: number,
    fd?: number,
  ) {
    this.options = options;
    this.#file = file;
    this.#start = start;
    this.fd = fd;
  }

  /**
   * Finds the end of the log that `options` name, or gives the runtime one without a name, which is gone with the last
   * descriptor. With `debug` and no log the runtime writes to standard error, as it was asked to, and nothing is known here.
   */
  static async prepare(options: RuntimeOptions): Promise<RuntimeLog> {
    if (options.log !== undefined) return RuntimeLog.#follow(options, options.log);
    if (options.debug === true) return new RuntimeLog(options, undefined, 0);
    const file = await openNameless();
    const log = `/proc/self/fd/${LOG_FD}`;
    return new RuntimeLog({ logFormat: 'json', ...options, log }, file, 0, file.fd);
  }

  static async #follow(options: RuntimeOptions, path: string): Promise<RuntimeLog> {
    let file: FileHandle;
    try {
      // Made if need be, as the runtime itself would, so that it is open before anybody renames it.
      file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK, 0o644);
    } catch {
      // That it cannot be written is for the runtime to say.
      return new RuntimeLog(options, undefined, 0);
    }
    const info = await file.stat();
    // From a fifo we would take away what its reader waits for.
    if (info.isFile()) return new RuntimeLog(options, file, info.size);
    await file.close();
    return new RuntimeLog(options, undefined, 0);
  }

  /** The last error that was logged since, or else the last line; empty if there is none. */
  async lastError(): Promise<string> {
    if (this.#file === undefined) return '';
    const { size } = await this.#file.stat();
    const start = Math.max(this.#start, size - MAX_BYTES);
    const length = Math.max(0, size - start);
    const { bytesRead, buffer } = await this.#file.read(Buffer.alloc(length), 0, length, start);
    return lastLoggedError(buffer.toString('utf8', 0, bytesRead));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
  }
}

/** The message of the last error in a log of runc's forms, JSON or text, or else its last line. */
export function lastLoggedError(log: string): string {
  const lines = log.split('\n').filter((line) => line.trim() !== '');
  const errors = lines.map(errorOf).filter((message) => message !== undefined);
  return (errors.at(-1) ?? lines.at(-1) ?? '').trim();
}

function errorOf(line: string): string | undefined {
  const [, level, quoted] = /\blevel=(\w+) msg=("(?:[^"\\]|\\.)*"|\S+)/.exec(line) ?? [];
  if (level !== undefined && quoted !== undefined) {
    return isError(level) ? unquote(quoted) : undefined;
  }
  const entry = parseJson(line);
  if (typeof entry !== 'object' || entry === null) return undefined;
  const { level: severity, msg } = entry as { level?: unknown; msg?: unknown };
  return isError(severity) && typeof msg === 'string' ? msg : undefined;
}

function isError(level: unknown): boolean {
  return level === 'error' || level === 'fatal' || level === 'panic';
}

/** Go quotes as JSON does, but for what is not printable; such a text is left as it is. */
function unquote(text: string): string {
  const value = text.startsWith('"') ? parseJson(text) : undefined;
  return typeof value === 'string' ? value : text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function openNameless(): Promise<FileHandle> {
  const directory = await mkdtemp(join(tmpdir(), 'pilotlight-log-'));
  try {
    return await open(join(directory, 'log'), 'wx+', 0o600);
  } finally {
    await rm(directory, { recursive: true });
  }
}
