/**
 * Launches the load and leaves it behind: `node launcher.ts LOAD`. Says how long it took, in milliseconds, on standard
 * output.
 */
import { openStore, type ProcessStore } from '@pilotlight/process-store';
import { gatedChild } from './gated-child.ts';
import { endFile, goFifo, type LoadSettings, sleeperId, timedId } from './load-settings.ts';

const AT_ONCE = 8;
/** Waits in open(2) until somebody writes there; what `date` says is the last that it does. */
const TIMED = 'read line < "$1"; exec date +%s%N > "$2"';

const settings = JSON.parse(process.argv[2] ?? '') as LoadSettings;
await using store = await openStore(settings.root, {
  launcher: gatedChild,
  ...(settings.tier === undefined ? {} : { tier: settings.tier }),
});
const commands = [
  ...Array.from({ length: settings.sleepers }, (_, index) => ({
    id: sleeperId(index),
    args: ['sleep', '1000000'],
  })),
  ...Array.from({ length: settings.timed }, (_, index) => ({
    id: timedId(index),
    args: ['sh', '-c', TIMED, 'sh', goFifo(settings, index), endFile(settings, index)],
  })),
];
const startedMs = performance.now();
await Promise.all(Array.from({ length: AT_ONCE }, () => launchSome(store)));
process.stdout.write(`${performance.now() - startedMs}\n`);

async function launchSome(into: ProcessStore): Promise<void> {
  for (let command = commands.shift(); command !== undefined; command = commands.shift()) {
    const { id, args } = command;
    const spec = { ociVersion: '1.2.0', process: { args, cwd: '/' }, root: { path: '/' } };
    await into.launch({ id, spec, bundle: '/' });
  }
}
