import { converse, driveHandshake } from '@pilotlight/sync';
import { runc12 } from '@pilotlight/sync/dialects';
import { memoryChannelPair } from '@pilotlight/sync/testing';

const { parent, child } = memoryChannelPair();
const table = runc12.handshakes.setns;
const driven = driveHandshake(parent, {
  table,
  signal: AbortSignal.timeout(10_000),
  answers: { procReady: () => ({ message: runc12.message('procRun') }) },
});
const conversation = converse(child, table, 'child');
await conversation.request(runc12.message('procReady'));
conversation.close(); // a real child executes its program here
await driven;
process.stdout.write('succeeded\n');
