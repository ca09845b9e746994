import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mkfifo } from '@pilotlight/scm-rights';
import { goFifo, type LoadSettings } from './load-settings.ts';

/** Processes that were launched by a program that is gone, and are reaped by another one. */
export class Load implements AsyncDisposable {
  /** How long the launch of all of them took, in milliseconds. */
  readonly launchMs: number;
  readonly #subreaper: ChildProcess;
  readonly #lifeline: number;

  /** Use `launch`. */
  private constructor(subreaper: ChildProcess, lifeline: number, launchMs: number) {
    this.#subreaper = subreaper;
    this.#lifeline = lifeline;
    this.launchMs = launchMs;
  }

  /** Resolves when all run. */
  static async launch(settings: LoadSettings): Promise<Load> {
    for (let index = 0; index < settings.timed; index++) mkfifo(goFifo(settings, index));
    const fifo = join(settings.directory, 'lifeline');
    mkfifo(fifo);
    // For reading as well, because there is no reader yet. It is closed with this process, however that ends.
    const lifeline = openSync(fifo, constants.O_RDWR);
    const [subreaper, launcher] = ['./subreaper.ts', './launcher.ts'].map((name) =>
      fileURLToPath(new URL(name, import.meta.url)),
    );
    const child = spawn(
      process.execPath,
      [subreaper!, fifo, process.execPath, launcher!, JSON.stringify(settings)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    // Up to the end of the launcher: until then it is the parent.
    let text = '';
    for await (const chunk of child.stdout) text += String(chunk);
    const load = new Load(child, lifeline, Number(text));
    if (text !== '') return load;
    await load[Symbol.asyncDispose]();
    throw new Error('the load could not be launched');
  }

  /** Ends the process that reaps. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended = this.#subreaper.exitCode === null ? once(this.#subreaper, 'exit') : undefined;
    closeSync(this.#lifeline);
    await ended;
  }
}
