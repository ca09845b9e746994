/**
 * Makes the kernel give the pid of a recorded process to a stranger, in a pid namespace of its own where it is pid 1:
 * node pid-reuse-worker.ts ROOT inode|ticks [CGROUP]. Prints what the store says then, as JSON.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pidfdOpen } from '@pilotlight/scm-rights';
import { isStoreError } from '../../src/index.ts';
import { waitReaped } from '../../src/supervision/wait-reaped.ts';
import { forge, isRunning, open, sleeper, tierD } from './hostile.ts';

const [root = '', known = '', cgroup] = process.argv.slice(2);

/** A process with just that pid. */
async function occupy(pid: number): Promise<ChildProcess> {
  for (;;) {
    writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    await once(child, 'spawn');
    if (child.pid === pid) return child;
    // A thread of ours was faster.
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (isStoreError(error) ? `${error.code}: ${error.message}` : String(error)),
  );
}

const store = await open(root, tierD);
const launched = await store.launch({ ...sleeper, id: 'one' });
const { pid } = launched;
await launched.detach();
{
  using pidfd = pidfdOpen(pid);
  await store.signal('one', 'SIGKILL');
  await waitReaped(pidfd);
}
if (known === 'ticks') forge(root, 'one', 'proc.json', { pidfsIno: null });
const member = spawn('sleep', ['1000'], { stdio: 'ignore' });
if (cgroup !== undefined) {
  forge(root, 'one', 'proc.json', { cgroupPaths: [cgroup] });
  writeFileSync(join(cgroup, 'cgroup.procs'), String(member.pid));
}
const stranger = await occupy(pid);
const report = {
  reused: stranger.pid === pid,
  signal: await codeOf(store.signal('one', 'SIGKILL')),
  state: (await store.load('one')).state,
  exit: await store.wait('one'),
  stop: await store.stop('one'),
  delete: await codeOf(store.remove('one', { force: true })),
  strangerRuns: isRunning(pid),
  memberRuns: isRunning(member.pid!),
};
await store[Symbol.asyncDispose]();
process.stdout.write(JSON.stringify(report));
process.exit();
