/** Launches into a store and kills itself at a step: node crash-launcher.ts ROOT STEP gated|init SCRIPT [CGROUPS_PATH] */
import { gatedLauncher } from './gated-launcher.ts';
import { specOf } from './spec-of.ts';
import { hostRootSpec } from '@pilotlight/init';
import { openStore } from '../src/index.ts';

const [root = '', step, kind, script = '', cgroupsPath] = process.argv.slice(2);
const store = await openStore(root, {
  ...(kind === 'gated' ? { launcher: gatedLauncher } : {}),
  at(reached) {
    if (reached === step) process.kill(process.pid, 'SIGKILL');
  },
});
const args = ['sh', '-c', script];
const spec = kind === 'gated' ? specOf(...args) : hostRootSpec({ args });
if (cgroupsPath !== undefined) spec.linux = { ...spec.linux, cgroupsPath };
await store.launch({ id: 'crash', spec, bundle: '/', stdio: ['ignore', 'ignore', 'ignore'] });
