import { expect, test } from 'vitest';
import { dialects } from './dialects/dialects.ts';
import { allSyncs, readAllSyncs } from './read-all-syncs.ts';
import { createStreamChannel } from './stream/stream-channel.ts';
import { memoryChannelPair } from './testing/memory-channel.ts';
import { memoryStreamPair } from './testing/memory-stream.ts';
import { writeSync } from './write-sync.ts';

test('readAllSyncs hands over every message until end of file, one at a time', async () => {
  const dialect = dialects['runc-1.1.0'];
  const streams = memoryStreamPair();
  const child = createStreamChannel(streams.child, dialect);
  await writeSync(child, dialect, 'procReady');
  await writeSync(child, dialect, 'procSeccomp', { arg: 6 });
  child.close();
  const seen: unknown[] = [];
  await readAllSyncs(createStreamChannel(streams.parent, dialect), async ({ message }) => {
    seen.push(`begin ${message.type}`);
    await Promise.resolve();
    seen.push(`end ${message.type}`);
  });
  expect(seen).toEqual([
    'begin procReady',
    'end procReady',
    'begin procSeccomp',
    'end procSeccomp',
  ]);
});

test('readAllSyncs stops with the failure that the peer reports', async () => {
  const dialect = dialects['runc-1.2'];
  const { parent, child } = memoryChannelPair();
  await writeSync(child, dialect, 'procHooks');
  await writeSync(child, dialect, 'procError', { arg: { message: 'no rootfs' } });
  const seen: string[] = [];
  const reading = readAllSyncs(parent, ({ message }) => void seen.push(message.type));
  await expect(reading).rejects.toThrow('no rootfs');
  expect(seen).toEqual(['procHooks']);
});

test('readAllSyncs stops with the failure of the function', async () => {
  const dialect = dialects['runc-1.2'];
  const { parent, child } = memoryChannelPair();
  await writeSync(child, dialect, 'procHooks');
  await writeSync(child, dialect, 'procReady');
  const failure = new Error('enough');
  await expect(readAllSyncs(parent, () => Promise.reject(failure))).rejects.toBe(failure);
  expect(await parent.receive()).toEqual({ message: { type: 'procReady', flags: 0 } });
});

test('allSyncs can be left early and aborted', async () => {
  const dialect = dialects['runc-1.2'];
  const { parent, child } = memoryChannelPair();
  await writeSync(child, dialect, 'procHooks');
  for await (const { message } of allSyncs(parent)) {
    expect(message.type).toBe('procHooks');
    break;
  }
  const controller = new AbortController();
  const reason = new Error('late');
  const next = allSyncs(parent, { signal: controller.signal }).next();
  controller.abort(reason);
  await expect(next).rejects.toBe(reason);
});

test('writeSync passes a file along where the message has one', async () => {
  const dialect = dialects['runc-1.2'];
  const { parent, child, files } = memoryChannelPair();
  {
    using file = files.open();
    await writeSync(parent, dialect, 'procMountFd', { arg: { type: 'plain-open' }, file });
  }
  const received = await child.receive();
  expect(received?.message).toEqual({
    type: 'procMountFd',
    flags: 1,
    arg: '{"type":"plain-open"}',
  });
  received?.file?.[Symbol.dispose]();
  expect(files.openCount).toBe(0);
});

test('writeSync sends nothing of a message whose argument is wrong', async () => {
  const dialect = dialects['runc-1.2'];
  const { parent, child } = memoryChannelPair();
  await expect(writeSync(child, dialect, 'procReady', { arg: 1 })).rejects.toThrow(
    'it carries no argument',
  );
  child.close();
  expect(await parent.receive()).toBe(undefined);
});
