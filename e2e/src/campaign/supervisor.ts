/** One supervisor of a campaign: node supervisor.ts SETTINGS. Says on its standard output what it does; see said.ts. */
import { readFileSync, writeSync } from 'node:fs';
import { isStoreError, openStore, type StoredProcess } from '@pilotlight/process-store';
import type { ContainerPlan, SupervisorPlan } from './plan.ts';
import { processOf, type ProgramPlan, specOf } from './program.ts';
import type { Said } from './said.ts';

/** What a supervisor is told, as JSON in a file. */
export interface SupervisorSettings {
  root: string;
  proofs: string;
  cgroupName: string;
  monitorIdleMs: number;
  plan: SupervisorPlan;
}

const stdio = ['ignore', 'ignore', 'ignore'] as const;
const settings = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as SupervisorSettings;
const { root, proofs, cgroupName, monitorIdleMs, plan } = settings;

/** In one write, and before what follows: a SIGKILL takes nothing of it back. */
function say(said: Said): void {
  writeSync(1, `${JSON.stringify(said)}\n`);
}

async function attempt<T>(key: string, action: string, work: () => Promise<T>) {
  try {
    return await work();
  } catch (error) {
    const code = isStoreError(error) ? error.code : ((error as { code?: string }).code ?? 'none');
    say({ key, verb: 'failed', action, code, message: (error as Error).message });
    return undefined;
  }
}

await using store = await openStore(root, { tier: plan.tier, monitorIdleMs });
const waiting = [...plan.containers];
await Promise.all(
  Array.from({ length: plan.atOnce }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await lookAfter(next);
    }
  }),
);

async function lookAfter(container: ContainerPlan): Promise<void> {
  const { key } = container;
  say({ key, verb: 'launching' });
  const launched = await attempt(key, 'launch', () =>
    store.launch({ id: key, spec: specOf(container, proofs, cgroupName), bundle: '/', stdio }),
  );
  if (launched === undefined) return;
  say({ key, verb: 'running', pid: launched.pid });
  await Promise.all(container.execs.map((inside) => execute(key, inside)));
  await decide(container, launched);
}

async function execute(container: string, { key, ...rest }: ProgramPlan): Promise<void> {
  say({ key, verb: 'launching' });
  const process = processOf({ key, ...rest }, proofs);
  const id = key.slice(container.length + 1);
  const executed = await attempt(key, 'exec', () => store.exec(container, { id, process, stdio }));
  if (executed === undefined) return;
  say({ key, verb: 'running', pid: executed.pid });
  await waitFor(key, executed);
}

async function waitFor(key: string, launched: StoredProcess): Promise<void> {
  const exit = await attempt(key, 'wait', () => launched.wait());
  if (exit !== undefined) say({ key, verb: 'told', pid: launched.pid, exit });
}

async function decide({ key, fate }: ContainerPlan, launched: StoredProcess): Promise<void> {
  switch (fate) {
    case 'leave':
      return;
    case 'wait':
      return waitFor(key, launched);
    case 'delete':
      await waitFor(key, launched);
      return remove(key, false);
    case 'force-delete':
      return remove(key, true);
    case 'signal':
      say({ key, verb: 'signaling', signal: 15 });
      await attempt(key, 'signal', () => launched.signal('SIGTERM'));
      return waitFor(key, launched);
    case 'restart': {
      await waitFor(key, launched);
      say({ key, verb: 'restarting' });
      const again = await attempt(key, 'restart', () => store.restart(key));
      if (again === undefined) return;
      say({ key, verb: 'running', pid: again.pid });
      return waitFor(key, again);
    }
  }
}

async function remove(key: string, force: boolean): Promise<void> {
  if (force) say({ key, verb: 'signaling', signal: 9 });
  say({ key, verb: 'deleting' });
  const done = await attempt(key, 'delete', async () => {
    await store.remove(key, { force });
    return true;
  });
  if (done) say({ key, verb: 'deleted' });
}
