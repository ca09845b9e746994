/** The monitor of one root: node monitor.js SETTINGS, with the socket to its keeper as descriptor 3. */
import { flockExclusive, loadLibc, OwnedFd } from '@pilotlight/scm-rights';
import { monitorFds, pairSettingsSchema } from '../keeper/settings.ts';
import { storeLayout } from '../layout.ts';
import { KeeperLink } from './keeper-link.ts';
import { KeptDescriptors } from './kept-descriptors.ts';
import { Monitor } from './monitor.ts';
import { toWireError } from './wire/wire-error.ts';

/** A monitor that is about to be gone may still hold it. */
const LOCK_DEADLINE_MS = 5000;

const { root, idleMs, koffiModule } = pairSettingsSchema.parse(JSON.parse(process.argv[2] ?? ''));
// Before the first call.
loadLibc(koffiModule === undefined ? {} : { koffiModule });
const keeper = new KeeperLink(OwnedFd.adopt(monitorFds.keeper, 'socket to the keeper'));
for (const signal of ['SIGHUP', 'SIGINT'] as const) process.on(signal, () => undefined);
try {
  const lock = await flockExclusive(storeLayout(root).monitorLock, {
    deadlineMs: LOCK_DEADLINE_MS,
  });
  const kept = new KeptDescriptors(keeper);
  if (await keeper.begin(kept.holdings)) {
    await new Monitor({ root, idleMs, lock, keeper, kept }).run();
  }
  process.exit(0);
} catch (error) {
  await keeper.report({ type: 'unfit', error: toWireError(error) }).catch(() => undefined);
  process.exit(1);
}
