import { dupFd, type OwnedFd } from '@pilotlight/scm-rights';
import { isSyscallError } from '@pilotlight/scm-rights';
import { messageOf } from '../errors.ts';
import { LogPump, type LogSink } from '../log/log-pump.ts';
import { LogWriter } from '../log/log-writer.ts';
import type { StoredLog } from '../log/log-options.ts';
import { type Generation, isSameGeneration } from '../record/generation.ts';
import { type LogStreamName, openLogFifoToPump } from '../stdio/log-fifo.ts';
import { isStoredTerminal } from '../stdio/stored-stdio.ts';
import type { AttendedRecord, MonitorDuty } from './duty.ts';

/** How long heirs of its streams may keep us from going on after a process has ended, in milliseconds. */
const GRACE_MS = 500;

interface Pumped {
  generation: Generation;
  sink: Sink;
  pumps: Map<string, LogPump>;
}

export interface LogDutyOptions {
  /** Told of what is lost, and of logs that cannot be written. */
  onWarning: (key: string, message: string) => void;
  /** Called when there is less to do. */
  onChange: () => void;
}

/** Moves the output of processes into their logs, and reads terminals, which stop a program that nobody reads. */
export class LogDuty implements MonitorDuty {
  readonly name = 'log';
  readonly #options: LogDutyOptions;
  readonly #pumped = new Map<string, Pumped>();

  constructor(options: LogDutyOptions) {
    this.#options = options;
  }

  get isBusy(): boolean {
    return this.#pumped.size > 0;
  }

  async attend(record: AttendedRecord): Promise<boolean> {
    const spec = await record.spec();
    if (spec?.stdio === undefined) return false;
    if (isStoredTerminal(spec.stdio)) {
      this.#pumpTerminal(record, spec.log);
      return true;
    }
    if (spec.log?.driver !== 'cri') return false;
    for (const stream of ['stdout', 'stderr'] as const) {
      if (spec.stdio[stream].kind === 'log') await this.#pumpFifo(record, stream, spec.log);
    }
    return true;
  }

  async ended({ key, proc }: AttendedRecord): Promise<void> {
    const pumped = this.#pumped.get(key);
    if (pumped === undefined || !isSameGeneration(pumped.generation, proc)) return;
    await Promise.all([...pumped.pumps.values()].map((pump) => pump.drain({ graceMs: GRACE_MS })));
  }

  async forget(key: string): Promise<void> {
    const pumped = this.#pumped.get(key);
    // Deleted right after its end: what it wrote last is on its way.
    await Promise.all(
      [...(pumped?.pumps.values() ?? [])].map((pump) => pump.drain({ graceMs: GRACE_MS })),
    );
    await this.#stop(pumped);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pumped.values()].map((pumped) => this.#stop(pumped)));
  }

  #pumpTerminal(record: AttendedRecord, log: StoredLog | undefined): void {
    const master = record.held('console');
    // Not there yet, or lost with monitor and keeper; then it has hung up.
    if (master !== undefined) this.#pump(record, 'console', 'stdout', master, log);
  }

  async #pumpFifo(record: AttendedRecord, stream: LogStreamName, log: StoredLog): Promise<void> {
    if (record.held(stream) === undefined) {
      const opened = openFifo(record.path, stream);
      if (opened === undefined) return;
      await record.hold(stream, opened);
    }
    const held = record.held(stream);
    if (held !== undefined) this.#pump(record, stream, stream, held, log);
  }

  #pump(
    { key, proc }: AttendedRecord,
    name: string,
    stream: LogStreamName,
    held: OwnedFd,
    log: StoredLog | undefined,
  ): void {
    let pumped = this.#pumped.get(key);
    if (pumped === undefined || !isSameGeneration(pumped.generation, proc)) {
      // The heirs of a run before this one are pumped to their end.
      const { pid, startTicks, bootId } = proc;
      const warn = (message: string): void => this.#options.onWarning(key, message);
      pumped = {
        generation: { pid, startTicks, bootId },
        sink: new Sink(log, warn),
        pumps: new Map(),
      };
      this.#pumped.set(key, pumped);
    }
    if (pumped.pumps.has(name)) return;
    const source = dupFd(held, `${name} of ${key}`);
    const onWarning = (error: Error): void => this.#options.onWarning(key, messageOf(error));
    const pump = new LogPump({ source, stream, writer: pumped.sink, onWarning });
    pumped.pumps.set(name, pump);
    void this.#closeAfter(key, pumped, pump);
  }

  async #closeAfter(key: string, pumped: Pumped, pump: LogPump): Promise<void> {
    await pump.done;
    for (const other of pumped.pumps.values()) await other.done;
    await pumped.sink.close();
    if (this.#pumped.get(key) === pumped) this.#pumped.delete(key);
    this.#options.onChange();
  }

  async #stop(pumped: Pumped | undefined): Promise<void> {
    for (const pump of pumped?.pumps.values() ?? []) await pump.stop();
    await pumped?.sink.close();
  }
}

/** A log that is opened when something is written, and again if that failed: the program goes on in any case. */
class Sink implements LogSink {
  readonly #log: StoredLog | undefined;
  readonly #onWarning: (message: string) => void;
  #writer: Promise<LogWriter> | undefined;

  constructor(log: StoredLog | undefined, onWarning: (message: string) => void) {
    this.#log = log;
    this.#onWarning = onWarning;
  }

  async write(lines: readonly Uint8Array[]): Promise<void> {
    const log = this.#log;
    if (log?.driver !== 'cri') return;
    const onWarning = (warning: Error): void => this.#onWarning(messageOf(warning));
    const { path, maxBytes, maxFiles } = log;
    this.#writer ??= LogWriter.open(path, { maxBytes, maxFiles, onWarning });
    try {
      await (await this.#writer).write(lines);
    } catch (error) {
      this.#writer = undefined;
      this.#onWarning(messageOf(error));
    }
  }

  async close(): Promise<void> {
    const writer = await this.#writer?.catch(() => undefined);
    this.#writer = undefined;
    await writer?.close();
  }
}

/** Undefined if it is not there: somebody removes the record. */
function openFifo(path: string, stream: LogStreamName): OwnedFd | undefined {
  try {
    return openLogFifoToPump(path, stream);
  } catch (error) {
    if (isSyscallError(error, 'ENOENT')) return undefined;
    throw error;
  }
}
