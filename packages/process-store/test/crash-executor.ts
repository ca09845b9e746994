/** Executes in a container and kills itself at a step of that: node crash-executor.ts ROOT STEP TIER CONTAINER */
import { openStore, type Tier } from '../src/index.ts';

const [root = '', step, tier, container = ''] = process.argv.slice(2);
const store = await openStore(root, {
  tier: tier as Tier,
  monitorIdleMs: 2000,
  at(reached) {
    if (reached === step) process.kill(process.pid, 'SIGKILL');
  },
});
await store.exec(container, {
  id: 'crash',
  process: { args: ['sh', '-c', 'exit 7'], cwd: '/', env: ['PATH=/usr/bin:/bin'] },
  stdio: ['ignore', 'ignore', 'ignore'],
});
