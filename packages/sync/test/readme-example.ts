import { createHandshake, expectSync, setnsInit } from '@pilotlight/sync';
import { memoryChannelPair } from '@pilotlight/sync/testing';

const { parent, child } = memoryChannelPair();
const handshake = createHandshake(setnsInit, 'parent');

await child.send({ type: 'procReady', flags: 0 });
const { message } = await expectSync(parent, 'procReady');
handshake.received(message.type);
handshake.sent('procRun');
await parent.send({ type: 'procRun', flags: 0 });
child.close();
if ((await parent.receive()) === undefined) handshake.ended();
process.stdout.write(`${handshake.outcome}\n`); // succeeded
