// The mistakes that were made with this protocol before, one test for each that concerns the wire.
import { expect, test } from 'vitest';
import { decodeBootstrap, encodeBootstrap } from '../src/bootstrap.ts';
import {
  byteStreamOf,
  createStreamChannel,
  dialects,
  type StreamDialect,
} from '../src/dialects.ts';
import {
  allSyncs,
  converse,
  decodePacket,
  driveHandshake,
  encodePacket,
  expectSync,
  maxPacketBytes,
  MalformedPacketError,
  type HandshakeTable,
} from '../src/index.ts';
import { encodeInitConfig } from '../src/init-config.ts';
import { memoryChannelPair, memoryStreamPair } from '../src/testing.ts';

const runc10 = dialects['runc-1.0'];
const runc11 = dialects['runc-1.1.0'];
const runc12 = dialects['runc-1.2'];
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const code = (value: string, more: object = {}): Error =>
  expect.objectContaining({ code: value, ...more }) as Error;

function streamPair(dialect: typeof runc10) {
  const streams = memoryStreamPair();
  return {
    streams,
    parent: createStreamChannel(streams.parent, dialect),
    child: createStreamChannel(streams.child, dialect),
  };
}

test('mistake 1: a wrong reply that decodes well was taken for the right one', async () => {
  const { parent, child } = streamPair(runc10);
  await parent.send({ type: 'procRun' });
  await expect(expectSync(child, 'procResume', { disposeFile: () => undefined })).rejects.toEqual(
    code('ERR_SYNC_UNEXPECTED_TYPE', { expected: ['procResume'], received: 'procRun' }),
  );
});

test('mistake 2: a fresh decoder for each message swallowed the bytes of the next one', async () => {
  const { parent, streams } = streamPair(runc10);
  await streams.child.write(bytesOf('{"type":"procHooks"}{"type":"procReady"}{"ty'));
  await streams.child.write(bytesOf('pe":"procRun"}'));
  const types = [];
  for (let count = 0; count < 3; count += 1) types.push((await parent.receive())?.message.type);
  expect(types).toEqual(['procHooks', 'procReady', 'procRun']);
});

test('mistake 3: a stray newline was left in the pipe', async () => {
  for (const dialect of Object.values(dialects)) {
    if (dialect.name === 'runc-0.0.1') continue;
    const bytes = dialect.encode(dialect.failure('x') as never);
    const pieces = bytes instanceof Uint8Array ? [bytes] : bytes;
    for (const piece of pieces) {
      expect([dialect.name, new TextDecoder().decode(piece)]).toEqual([
        dialect.name,
        expect.stringMatching(/^\{.*\}$/),
      ]);
    }
  }
});

test('mistake 3: a reset by a peer that died hid its last words', async () => {
  async function* incoming(): AsyncGenerator<Uint8Array> {
    yield bytesOf('{"type":"procError"}{"Message":"last words"}');
    throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  }
  const stream = byteStreamOf({
    incoming: incoming(),
    write: () => Promise.resolve(),
    close: () => undefined,
  });
  const parent = createStreamChannel(stream, runc10);
  expect((await parent.receive())?.message.arg).toBe('{"Message":"last words"}');
  expect(await parent.receive()).toBe(undefined);
});

test('mistake 4: a big packet was read in pieces, as if it were a stream', () => {
  const frame = encodePacket(runc12.failure('x')).length - 1;
  const message = runc12.failure('x'.repeat(maxPacketBytes - frame));
  const packet = encodePacket(message);
  expect(packet.length).toBe(maxPacketBytes);
  expect(decodePacket(packet)).toEqual(message);
  expect(() => decodePacket(packet.subarray(0, 512))).toThrow(MalformedPacketError);
});

test('mistake 5: an error that was not announced was read as procReady', async () => {
  const bare = '{"Timestamp":"T","ECode":10,"Message":"bad config","Stack":{"Frames":null}}';
  const old = [dialects['runc-0.0.7'], dialects['runc-0.0.9']] as unknown as StreamDialect[];
  for (const dialect of old) {
    const streams = memoryStreamPair();
    await streams.child.write(bytesOf(bare));
    const driven = driveHandshake(createStreamChannel(streams.parent, dialect), {
      table: dialect.handshakes['setns'] as HandshakeTable<string>,
      answers: {},
    });
    await expect(driven).rejects.toEqual(code('ERR_SYNC_PEER_ERROR', { text: 'bad config' }));
    expect(() => dialect.decode('{}')).toThrow(code('ERR_SYNC_MALFORMED_OBJECT'));
  }
});

test('mistake 5: a message took over what the one before it had left', () => {
  expect(runc11.decode('{"type":"procSeccomp","fd":6}')).toEqual({ type: 'procSeccomp', fd: 6 });
  expect(() => runc11.decode('{"type":"procSeccomp"}')).toThrow(code('ERR_SYNC_MALFORMED_OBJECT'));
});

test('mistake 6: a child that vanished before procReady made an error about nothing', async () => {
  const { parent, child } = memoryChannelPair();
  const driven = driveHandshake(parent, {
    table: runc12.handshakes.standard,
    answers: { procHooks: () => ({ message: runc12.message('procHooksDone') }) },
  });
  await child.send(runc12.message('procHooks'));
  await child.receive();
  child.close();
  await expect(driven).rejects.toThrow(
    'standard init, step "hooks done": expected procError from child or procReady from child, received end of file from child (missing)',
  );
});

test('mistake 7: a failure after procRun left the parent waiting', async () => {
  const { parent, child } = memoryChannelPair();
  const driven = driveHandshake(parent, {
    table: runc12.handshakes.setns,
    answers: { procReady: () => ({ message: runc12.message('procRun') }) },
  });
  await child.send(runc12.message('procReady'));
  await child.receive();
  await child.send(runc12.failure('exec: no such file'));
  // The child has not closed its end: the parent must not wait for that.
  await expect(driven).rejects.toEqual(code('ERR_SYNC_PEER_ERROR', { text: 'exec: no such file' }));
  expect(await child.receive()).toBe(undefined);
});

test('mistake 8: the hooks ran a second time at procReady', async () => {
  const { parent, child } = streamPair(runc10);
  const ran: string[] = [];
  const driven = driveHandshake(parent, {
    table: runc10.handshakes.standard,
    disposeFile: () => undefined,
    answers: {
      procHooks: () => (ran.push('hooks'), { message: runc10.message('procResume') }),
      procReady: () => ({ message: runc10.message('procRun') }),
    },
  });
  const conversation = converse(child, runc10.handshakes.standard, 'child');
  await conversation.request({ type: 'procHooks' });
  await conversation.request({ type: 'procReady' });
  conversation.close();
  await driven;
  expect(ran).toEqual(['hooks']);
});

test('mistake 16: an error was sent on a channel that was closed, and reported twice', async () => {
  const { parent, child } = memoryChannelPair();
  const conversation = converse(child, runc12.handshakes.setns, 'child');
  await conversation.send(runc12.failure('first'));
  await expect(conversation.send(runc12.failure('second'))).rejects.toEqual(
    code('ERR_SYNC_HANDSHAKE'),
  );
  conversation.close();
  await expect(child.send(runc12.failure('third'))).rejects.toEqual(code('ERR_SYNC_CLOSED'));
  const reading = allSyncs(parent).next();
  await expect(reading).rejects.toEqual(code('ERR_SYNC_PEER_ERROR', { text: 'first' }));
  expect(await parent.receive()).toBe(undefined);
});

test('mistake 17: the seccomp descriptor was handed over as a file, which the profile may stop', async () => {
  const { child, files } = memoryChannelPair();
  using file = files.open();
  await expect(child.send(runc12.message('procSeccomp', 6), file)).rejects.toEqual(
    code('ERR_SYNC_INVALID_MESSAGE'),
  );
});

test('mistake 19: a file that came with an unexpected message was leaked', async () => {
  const { parent, child, files } = memoryChannelPair();
  {
    using file = files.open();
    await parent.send(runc12.message('procMountFd', { type: 'open_tree' }), file);
  }
  const conversation = converse(child, runc12.handshakes.standard, 'child');
  await expect(conversation.receive()).rejects.toEqual(code('ERR_SYNC_HANDSHAKE'));
  expect(files.openCount).toBe(0);
});

test('mistake 19: a file on a stream that has none was leaked', async () => {
  const { files } = memoryChannelPair();
  const { parent, streams } = streamPair(runc10);
  {
    using file = files.open();
    await streams.child.write(bytesOf('{"type":"procHooks"}'), file);
  }
  await expect(parent.receive()).rejects.toEqual(code('ERR_SYNC_UNEXPECTED_FILE'));
  expect(files.openCount).toBe(0);
});

test('mistake 20: procError that announced a file left the file packet in the queue', async () => {
  const packet = bytesOf('{"type":"procError","flags":1,"arg":{"message":"x"}}');
  expect(() => decodePacket(packet)).toThrow(
    expect.objectContaining({ code: 'ERR_SYNC_MALFORMED_PACKET', fileFollows: true }) as Error,
  );
  const { parent, child, files, sendRaw } = memoryChannelPair();
  {
    using file = files.open();
    sendRaw(packet, file);
  }
  await expect(parent.receive()).rejects.toEqual(code('ERR_SYNC_MALFORMED_PACKET'));
  await child.send(runc12.message('procReady'));
  expect(await parent.receive()).toEqual({ message: runc12.message('procReady') });
  expect(files.openCount).toBe(0);
});

test('mistake 22: a long text wrapped its length and became attributes of its own', () => {
  const path = `/${'x'.repeat(65_535)}`;
  expect(() => encodeBootstrap({ nsPaths: [{ type: 'net', path }] }, 'runc-1.2')).toThrow(
    code('ERR_SYNC_INVALID_BOOTSTRAP'),
  );
});

test('mistake 23: a truth value of five bytes moved everything behind it', () => {
  const message = { cloneFlags: 0, setgroups: true, oomScoreAdj: 7, rootlessEuid: true };
  const bytes = encodeBootstrap(message, 'runc-1.0.0-rc6');
  expect(bytes.length % 4).toBe(0);
  expect(decodeBootstrap(bytes, 'runc-1.0.0-rc6').message).toEqual(message);
  expect(() =>
    decodeBootstrap(encodeBootstrap(message, 'runc-1.0.0-rc5'), 'runc-1.0.0-rc6'),
  ).toThrow(code('ERR_SYNC_MALFORMED_BOOTSTRAP'));
});

test('mistake 35: the value of a variable was shown in an error', () => {
  const env = ['TOKEN=secret', null] as unknown as string[];
  expect(() => encodeInitConfig({ env }, 'runc-1.1')).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('secret') as string }) as Error,
  );
});

test('mistake 39: the message was sent, and then its file could not be', async () => {
  const { parent, child, files } = memoryChannelPair();
  const closed = files.open();
  closed[Symbol.dispose]();
  await expect(
    parent.send(runc12.message('procMountFd', { type: 'open_tree' }), closed),
  ).rejects.toThrow('it is closed');
  parent.close();
  expect(await child.receive()).toBe(undefined);
});
