/** Launches, waits for the end, starts again, and kills itself at a step of that: node crash-restarter.ts ROOT STEP */
import { hostRootSpec } from '@pilotlight/init';
import { openStore } from '../src/index.ts';

const [root = '', step] = process.argv.slice(2);
let armed = false;
const store = await openStore(root, {
  at(reached) {
    if (armed && reached === step) process.kill(process.pid, 'SIGKILL');
  },
});
const spec = hostRootSpec({ args: ['sh', '-c', 'exit 7'] });
const launched = await store.launch({
  id: 'crash',
  spec,
  bundle: '/',
  stdio: ['ignore', 'ignore', 'ignore'],
});
await launched.wait();
armed = true;
await store.restart('crash');
