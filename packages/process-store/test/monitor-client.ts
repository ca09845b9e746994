/** Starts the monitor of a root, prints who it is, and keeps it until standard input ends: node monitor-client.ts ROOT IDLE_MS */
import { openStore } from '../src/index.ts';

const [root = '', idleMs] = process.argv.slice(2);
const store = await openStore(root, { tier: 'D', monitorIdleMs: Number(idleMs) });
const { pid, keeperPid } = await store.startMonitor();
process.stdout.write(`${JSON.stringify({ pid, keeperPid })}\n`);
process.stdin.on('data', () => undefined);
process.stdin.on('end', () => void store[Symbol.asyncDispose]());
