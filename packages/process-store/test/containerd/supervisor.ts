/**
 * Starts processes and supervises them until it is killed: node supervisor.ts STORE STATE_ROOT BUNDLE STDIO_JSON SCRIPT [STEP]
 *
 * With STEP it kills itself at that step of the launch. It says `started` when all run.
 */
import { openStore } from '../../src/index.ts';
import { newProcess } from '../../src/containerd.ts';
import { scriptSpec } from './fixture.ts';

const [root = '', stateRoot = '', bundle = '', stdio = '{}', script = '', step] =
  process.argv.slice(2);
const store = await openStore(root, {
  at(reached) {
    if (reached === step) process.kill(process.pid, 'SIGKILL');
  },
});
await newProcess(store, {
  stateRoot,
  container: 'box',
  spec: scriptSpec(script),
  bundle,
  stdio: JSON.parse(stdio) as object,
});
process.stdout.write('started\n');
