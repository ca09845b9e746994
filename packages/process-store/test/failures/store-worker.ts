/**
 * Another program that uses stores. Says `{"ok":"ready"}`, and then does what each line on its standard input asks, a
 * `Task` as JSON, and says in one line what came of it.
 */
import { createInterface } from 'node:readline';
import { isStoreError, type ProcessStore } from '../../src/index.ts';
import { specOf } from '../spec-of.ts';
import { open, type Report, sleeper, type Task, tierD } from './hostile.ts';

async function act(task: Task): Promise<unknown> {
  const { action, id } = task;
  await using store = await openFor(task);
  switch (action) {
    case 'launch':
      return (await store.launch({ ...sleeper, id })).pid;
    case 'wait':
      return store.wait(id);
    case 'delete':
    case 'delete with force':
      await store.remove(id, { force: action === 'delete with force' });
      return 'deleted';
    case 'cycle':
      for (let round = 0; round < 8; round++) await cycle(task);
      return 'cycled';
  }
}

/** Opens, launches, lists, deletes and closes, so that each time the root may be left empty. */
async function cycle(task: Task): Promise<void> {
  await using store = await openFor(task);
  const spec = specOf('sh', '-c', 'exit 7');
  const launched = await store.launch({ id: task.id, spec, bundle: '/' });
  const exit = await launched.wait();
  if (exit.kind !== 'exited' || exit.code !== 7) throw new Error(JSON.stringify(exit));
  const [first] = (await store.list()).problems;
  if (first !== undefined) throw first.problem;
  await launched.remove();
}

async function openFor({ root, tier }: Task): Promise<ProcessStore> {
  return open(root, tier === 'A' ? {} : tierD);
}

async function report(task: Task): Promise<Report> {
  try {
    return { ok: await act(task) };
  } catch (error) {
    return {
      code: isStoreError(error) ? error.code : 'other',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}

const say = (said: Report): void => void process.stdout.write(`${JSON.stringify(said)}\n`);

say({ ok: 'ready' });
for await (const line of createInterface({ input: process.stdin })) {
  say(await report(JSON.parse(line) as Task));
}
process.exit();
