/** Launches a program that leaves with the code it reads from our standard input, and kills itself: node reading-launcher.ts ROOT TIER ID */
import { hostRootSpec } from '@pilotlight/init';
import { openStore, type Tier } from '../src/index.ts';

const [root = '', tier, id = ''] = process.argv.slice(2);
const store = await openStore(root, { tier: tier as Tier, monitorIdleMs: 2000 });
await store.launch({
  id,
  spec: hostRootSpec({ args: ['sh', '-c', 'read code; exit $code'] }),
  bundle: '/',
  stdio: ['inherit', 'ignore', 'ignore'],
});
process.kill(process.pid, 'SIGKILL');
