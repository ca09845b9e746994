import { closeSync, openSync, writeSync } from 'node:fs';
import { FileError } from '../errors.ts';
import { errorFacts } from '../render/error.ts';

/** The file that errors are also written to, one line each, in the form that runc's callers read. */
export class ErrorLog implements Disposable {
  readonly #fd: number;
  readonly #format: 'text' | 'json';

  private constructor(fd: number, format: 'text' | 'json') {
    this.#fd = fd;
    this.#format = format;
  }

  /** Opens or creates the file, for appending. Throws FileError. */
  static open(path: string, format: 'text' | 'json'): ErrorLog {
    try {
      return new ErrorLog(openSync(path, 'a', 0o644), format);
    } catch (cause) {
      throw new FileError('open the log', path, {
        hint: 'Name a file in a directory that exists and that you may write to.',
        cause,
      });
    }
  }

  /** Appends one error. */
  write(error: unknown, time: Date): void {
    const line = this.#format === 'json' ? jsonEntry(error, time) : textEntry(error, time);
    writeSync(this.#fd, `${line}\n`);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** `level`, `msg` and `time` are runc's, all other keys are ours. */
export function jsonEntry(error: unknown, time: Date): string {
  const { message, causes, stack: _, ...facts } = errorFacts(error);
  const extra = causes.length === 0 ? facts : { ...facts, causes };
  return JSON.stringify({ level: 'error', msg: message, time: seconds(time), ...extra });
}

/** runc's `key=value` form. */
export function textEntry(error: unknown, time: Date): string {
  const { message, causes: _, stack: __, ...facts } = errorFacts(error);
  const extra = Object.entries(facts)
    .filter(([, value]) => value !== undefined)
    .map(
      ([key, value]) => ` ${key}=${/^[\w./@^+-]+$/.test(value!) ? value : JSON.stringify(value)}`,
    );
  return `time="${seconds(time)}" level=error msg=${JSON.stringify(message)}${extra.join('')}`;
}

const seconds = (time: Date): string => time.toISOString().replace(/\.\d+Z$/, 'Z');
