/** Launches into a store and kills itself at a step: node crash-launcher.ts ROOT STEP gated|init SCRIPT [CGROUPS_PATH|-] [TIER] */
import { gatedLauncher } from './gated-launcher.ts';
import { specOf } from './spec-of.ts';
import { hostRootSpec } from '@pilotlight/init';
import { openStore, type Tier } from '../src/index.ts';

const [root = '', step, kind, script = '', cgroupsPath = '-', tier] = process.argv.slice(2);
const store = await openStore(root, {
  ...(kind === 'gated' ? { launcher: gatedLauncher } : {}),
  ...(tier === undefined ? {} : { tier: tier as Tier, monitorIdleMs: 2000 }),
  at(reached) {
    if (reached === step) process.kill(process.pid, 'SIGKILL');
  },
});
const args = ['sh', '-c', script];
const spec = kind === 'gated' ? specOf(...args) : hostRootSpec({ args });
if (cgroupsPath !== '-') spec.linux = { ...spec.linux, cgroupsPath };
await store.launch({ id: 'crash', spec, bundle: '/', stdio: ['ignore', 'ignore', 'ignore'] });
