import { openStore } from '@pilotlight/process-store';
import type { CliContext } from '../../context.ts';
import { exitCodeOfEnd, exitCodes } from '../../exit-code.ts';

/** Throws what `ProcessStore.load` and `ProcessStore.wait` throw. */
export async function wait(this: CliContext, _flags: {}, ...ids: string[]): Promise<void> {
  await using store = await openStore(this.root, { create: false });
  // All of them first: a wrong id is told at once, not when the others have ended.
  const processes = [];
  for (const id of ids) processes.push(await store.load(id));
  for (const process of processes) {
    const exit = await process.wait();
    if (exit.kind === 'unknown') this.process.exitCode = exitCodes.unknownStatus;
    this.host.stdout.write(`${exit.kind === 'unknown' ? 'unknown' : exitCodeOfEnd(exit)}\n`);
  }
}
