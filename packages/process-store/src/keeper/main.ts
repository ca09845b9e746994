/** The keeper of one root: node keeper.js SETTINGS, with the descriptors of `keeperFds`. */
import { closeSync, writeSync } from 'node:fs';
import { closeAll, loadLibc, OwnedFd, setChildSubreaper } from '@pilotlight/scm-rights';
import { toWireError } from '../monitor/wire/wire-error.ts';
import { StoreRoot } from '../root/store-root.ts';
import { Keeper } from './keeper.ts';
import { keeperFds, pairSettingsSchema } from './settings.ts';
import type { StartReport } from './start-report.ts';

const settings = pairSettingsSchema.parse(JSON.parse(process.argv[2] ?? ''));
// Before the first call.
loadLibc(settings.koffiModule === undefined ? {} : { koffiModule: settings.koffiModule });
const lock = OwnedFd.adopt(keeperFds.lock, 'keeper.lock');
OwnedFd.adopt(keeperFds.report, 'report pipe').release();

let reported = false;
function report(about: StartReport): void {
  if (reported) return;
  reported = true;
  try {
    writeSync(keeperFds.report, JSON.stringify(about));
  } catch {
    // Who started us has gone; whoever comes next finds the monitor.
  }
  closeSync(keeperFds.report);
}

// A hang-up of a terminal, or an interrupt typed there, is for the programs that it was typed to.
for (const signal of ['SIGHUP', 'SIGINT'] as const) process.on(signal, () => undefined);
try {
  closeAll(settings.strayFds);
  setChildSubreaper();
  const end = await new Keeper(settings, lock).run(() => report({ ready: true }));
  if (end === 'left, tidy') await new StoreRoot(settings.root).tidy();
  process.exit(0);
} catch (error) {
  report({ ready: false, error: toWireError(error) });
  process.exit(1);
}
