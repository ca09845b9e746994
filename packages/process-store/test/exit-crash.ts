/** Waits for the end of what was launched, and kills itself at a step of that exit: node exit-crash.ts ROOT STEP parent|waiter|monitor|keeper TIER */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { hostRootSpec } from '@pilotlight/init';
import { setChildSubreaper, socketpair } from '@pilotlight/scm-rights';
import { type ExitStep, type LaunchStep, openStore, type Tier } from '../src/index.ts';
import { OrphanReaper } from '../src/keeper/orphan-reaper.ts';
import { storeLayout } from '../src/layout.ts';
import { KeeperLink } from '../src/monitor/keeper-link.ts';
import { KeptDescriptors } from '../src/monitor/kept-descriptors.ts';
import { WatchList } from '../src/monitor/watch-list.ts';
import { StoreRoot } from '../src/root/store-root.ts';

const [root = '', step, role, tier] = process.argv.slice(2);
const at = (reached: LaunchStep | ExitStep): void => {
  if (reached === step) process.kill(process.pid, 'SIGKILL');
};

/** Launches what ends soon, with a launcher that does not live to see it. */
async function launchAndDie(): Promise<void> {
  const program = fileURLToPath(new URL('crash-launcher.ts', import.meta.url));
  const args = [root, 'started', 'init', 'sleep 0.5; exit 7', '-', tier ?? 'A'];
  const flags = ['--conditions=@pilotlight/source', '--no-warnings'];
  await once(spawn(process.execPath, [...flags, program, ...args]), 'exit');
}

switch (role) {
  case 'parent': {
    const store = await openStore(root, { tier: tier as Tier, monitorIdleMs: 2000, at });
    const spec = hostRootSpec({ args: ['sh', '-c', 'exit 7'] });
    const stdio = ['ignore', 'ignore', 'ignore'] as const;
    await store.launch({ id: 'crash', spec, bundle: '/', stdio });
    break;
  }
  case 'waiter': {
    await launchAndDie();
    const store = await openStore(root, { tier: tier as Tier, at });
    await store.wait('crash');
    break;
  }
  case 'monitor': {
    await launchAndDie();
    const [ours] = socketpair('seqpacket');
    const kept = new KeptDescriptors(new KeeperLink(ours));
    const store = new StoreRoot(root, undefined, tier as Tier, at);
    await new WatchList({ root: store, kept, duties: [], onChange() {} }).look('crash');
    break;
  }
  case 'keeper': {
    setChildSubreaper();
    const reaper = new OrphanReaper(storeLayout(root), 'keeper', at);
    await launchAndDie();
    await reaper.sweep();
    break;
  }
}
// Until the step is reached.
setInterval(() => undefined, 1000);
