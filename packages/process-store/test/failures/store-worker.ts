/**
 * Another program that uses a store: node store-worker.ts ROOT ACTION ID [ARG…]. Says `{"ok":"ready"}`, waits for a line on
 * standard input, acts, and says what came of it in one line.
 */
import { createInterface } from 'node:readline';
import { openStore, type ProcessStore, isStoreError } from '../../src/index.ts';
import { gatedLauncher } from '../gated-launcher.ts';
import { specOf } from '../spec-of.ts';

const [root = '', action = '', id = '', ...args] = process.argv.slice(2);
const probe = async () => ({ exitInfo: false, pins: false });

const say = (report: object): void => void process.stdout.write(`${JSON.stringify(report)}\n`);
const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function act(store: ProcessStore): Promise<unknown> {
  switch (action) {
    case 'launch':
    case 'launch-and-stay': {
      const [script = 'exec sleep 1000'] = args;
      const launched = await store.launch({ id, spec: specOf('sh', '-c', script), bundle: '/' });
      if (action === 'launch-and-stay') {
        say({ ok: 'launched', pid: launched.pid });
        await input.next();
        return launched.wait();
      }
      return launched.pid;
    }
    case 'wait':
      return store.wait(id);
    case 'delete':
      await store.delete(id, { force: args[0] === 'force' });
      return 'deleted';
    case 'cycle': {
      for (let round = 0; round < Number(args[0]); round++) {
        await using own = await open();
        const launched = await own.launch({ id, spec: specOf('sh', '-c', 'exit 7'), bundle: '/' });
        const exit = await launched.wait();
        if (exit.kind !== 'exited' || exit.code !== 7) throw new Error(JSON.stringify(exit));
        const [first] = (await own.list()).problems;
        if (first !== undefined) throw first.problem;
        await launched.delete();
      }
      return 'cycled';
    }
    default:
      throw new Error(`unknown action ${action}`);
  }
}

async function open(): Promise<ProcessStore> {
  const tier = process.env['STORE_TIER'] === 'A' ? {} : { probe };
  return openStore(root, { launcher: gatedLauncher, ...tier });
}

const store = await open();
say({ ok: 'ready' });
await input.next();
try {
  say({ ok: await act(store) });
} catch (error) {
  say({
    code: isStoreError(error) ? error.code : 'other',
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
}
await store[Symbol.asyncDispose]();
process.exit();
