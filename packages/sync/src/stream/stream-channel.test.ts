import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StreamDialect } from '../dialects/dialect.ts';
import { dialects } from '../dialects/dialects.ts';
import { expectSync } from '../expect.ts';
import { memoryStreamPair, type Splitter } from '../testing/memory-stream.ts';
import { MemoryFileTable } from '../testing/memory-file.ts';
import { byteStreamOf } from './byte-stream.ts';
import { createStreamChannel } from './stream-channel.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const everyByte: Splitter = (bytes) => [...bytes].map((byte) => Uint8Array.of(byte));
const dialect = dialects['runc-1.1.0'];

function pairOf(split?: Splitter) {
  const streams = memoryStreamPair(split);
  return {
    streams,
    parent: createStreamChannel(streams.parent, dialect),
    child: createStreamChannel(streams.child, dialect),
  };
}

const code = (value: string): unknown => expect.objectContaining({ code: value });

test('StreamChannel carries every message of every stream dialect, however it is cut', async () => {
  const all = Object.values(dialects).filter(({ framing }) => framing === 'stream');
  for (const each of all as unknown as readonly StreamDialect[]) {
    const messages = Object.keys(each.types)
      .filter((type) => !['procError', 'error', 'execPid', 'execStatus'].includes(type))
      .map((type) => each.message(type, type === 'procSeccomp' ? 4 : undefined));
    messages.push(each.failure('ä "quoted" \u2028 end'));
    for (const split of [undefined, everyByte]) {
      const streams = memoryStreamPair(split);
      const parent = createStreamChannel(streams.parent, each);
      const child = createStreamChannel(streams.child, each);
      for (const message of messages) await child.send(message);
      child.close();
      const received = [];
      for (let next = await parent.receive(); next; next = await parent.receive()) {
        received.push(next.message);
      }
      expect(received).toEqual(messages);
    }
  }
}, 60_000);

test('StreamChannel reads messages that are glued together in any pieces', async () => {
  const text =
    '{"type":"procHooks","fd":-1}{"type":"procReady","fd":-1}\n{"type":"procError","fd":-1}{"message":"ä"}';
  const bytes = bytesOf(text);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 6 }), async (places) => {
      const ends = [...places, bytes.length].toSorted((one, other) => one - other);
      let start = 0;
      const pieces = ends.map((end) => bytes.subarray(start, (start = end)));
      const stream = byteStreamOf({
        incoming: piecesOf(pieces),
        write: () => Promise.resolve(),
        close: () => undefined,
      });
      const channel = createStreamChannel(stream, dialect);
      expect([
        await channel.receive(),
        await channel.receive(),
        await channel.receive(),
        await channel.receive(),
      ]).toEqual([
        { message: { type: 'procHooks' } },
        { message: { type: 'procReady' } },
        { message: { type: 'procError', arg: '{"message":"ä"}' } },
        undefined,
      ]);
    }),
  );
});

async function* piecesOf(pieces: readonly Uint8Array[], error?: Error): AsyncGenerator<Uint8Array> {
  yield* pieces;
  if (error !== undefined) throw error;
}

test('StreamChannel begins with the bytes that were read before it was made', async () => {
  const { streams } = pairOf();
  const parent = createStreamChannel(streams.parent, dialect, {
    alreadyRead: bytesOf('\n{"type":"procHooks","fd":-1}{"type":"pro'),
  });
  await streams.child.write(bytesOf('cReady","fd":-1}'));
  await expectSync(parent, 'procHooks');
  expect(await parent.receive()).toEqual({ message: { type: 'procReady' } });
});

test('StreamChannel never lets a message come between procError and its error object', async () => {
  const { parent, child } = pairOf(everyByte);
  await Promise.all([
    child.send(dialect.failure('x')),
    child.send(dialect.message('procReady')),
    child.send(dialect.failure('y')),
  ]);
  expect([await parent.receive(), await parent.receive(), await parent.receive()]).toEqual([
    { message: dialect.failure('x') },
    { message: { type: 'procReady' } },
    { message: dialect.failure('y') },
  ]);
});

test('StreamChannel serves waiting receives in order and loses nothing to an aborted one', async () => {
  const { parent, child } = pairOf();
  const controller = new AbortController();
  const aborted = parent.receive({ signal: controller.signal });
  const second = parent.receive();
  const third = parent.receive();
  const reason = new Error('no patience');
  controller.abort(reason);
  await expect(aborted).rejects.toBe(reason);
  await child.send(dialect.message('procHooks'));
  await child.send(dialect.message('procReady'));
  expect([await second, await third]).toEqual([
    { message: { type: 'procHooks' } },
    { message: { type: 'procReady' } },
  ]);
  await expect(parent.receive({ signal: controller.signal })).rejects.toBe(reason);
});

test('StreamChannel fails for good when what arrives is no message', async () => {
  const { parent, streams } = pairOf();
  await streams.child.write(
    bytesOf('{"type":"procHooks"}{"type":"procMystery"}{"type":"procRun"}'),
  );
  expect(await parent.receive()).toEqual({ message: { type: 'procHooks' } });
  await expect(parent.receive()).rejects.toEqual(code('ERR_SYNC_MALFORMED_OBJECT'));
  await expect(parent.receive()).rejects.toEqual(code('ERR_SYNC_MALFORMED_OBJECT'));
});

test('StreamChannel refuses an object beyond its limit', async () => {
  const { streams } = pairOf();
  const parent = createStreamChannel(streams.parent, dialect, { maxObjectBytes: 30 });
  await streams.child.write(bytesOf('{"type":"procHooks","fd":-1}'));
  await streams.child.write(bytesOf('{"type":"procHooks","fd":-1       '));
  expect(await parent.receive()).toEqual({ message: { type: 'procHooks' } });
  await expect(parent.receive()).rejects.toEqual(code('ERR_SYNC_TOO_LARGE'));
});

test.each([
  ['inside an object', '{"type":"pro'],
  ['between procError and its error object', '{"type":"procError","fd":-1}'],
  ['inside the error object', '{"type":"procError","fd":-1}{"message":"x'],
])('StreamChannel reports a stream that ends %s', async (_where, text) => {
  const { parent, streams } = pairOf();
  await streams.child.write(bytesOf(text));
  streams.child.close();
  await expect(parent.receive()).rejects.toEqual(code('ERR_SYNC_TRUNCATED'));
  await expect(parent.receive()).rejects.toEqual(code('ERR_SYNC_TRUNCATED'));
});

test('StreamChannel closes a file that comes with a message and fails', async () => {
  const files = new MemoryFileTable();
  const { parent, streams } = pairOf();
  const file = files.open();
  await streams.child.write(bytesOf('{"type":"procHooks","fd":-1}'), file);
  file[Symbol.dispose]();
  await expect(parent.receive()).rejects.toEqual(code('ERR_SYNC_UNEXPECTED_FILE'));
  expect(files.openCount).toBe(0);
});

test('StreamChannel refuses to send what the dialect has not, and sends nothing of it', async () => {
  const { parent, child } = pairOf();
  const files = new MemoryFileTable();
  using file = files.open();
  await expect(child.send({ type: 'procSeccomp' })).rejects.toEqual(
    code('ERR_SYNC_INVALID_MESSAGE'),
  );
  await expect(child.send({ type: 'procReady' }, file)).rejects.toThrow('no message of runc-1.1.0');
  await child.send({ type: 'procReady' });
  expect(await parent.receive()).toEqual({ message: { type: 'procReady' } });
});

test('StreamChannel says that the peer is gone when a write fails, and reads its last words', async () => {
  const { parent, child } = pairOf();
  await child.send(dialect.failure('last words'));
  child.close();
  await expect(parent.send({ type: 'procRun' })).rejects.toEqual(code('ERR_SYNC_PEER_GONE'));
  expect(await parent.receive()).toEqual({ message: dialect.failure('last words') });
  expect(await parent.receive()).toBe(undefined);
  expect(await parent.receive()).toBe(undefined);
});

test('StreamChannel refuses use after it was closed, pending receives included', async () => {
  const { parent } = pairOf();
  const waiting = parent.receive();
  parent.close();
  parent.close();
  await expect(waiting).rejects.toEqual(code('ERR_SYNC_CLOSED'));
  await expect(parent.receive()).rejects.toEqual(code('ERR_SYNC_CLOSED'));
  await expect(parent.receiveFile()).rejects.toEqual(code('ERR_SYNC_CLOSED'));
  await expect(parent.send({ type: 'procRun' })).rejects.toEqual(code('ERR_SYNC_CLOSED'));
});

const consoleEra = dialects['runc-console'];

function consolePair(split?: Splitter) {
  const streams = memoryStreamPair(split);
  return {
    streams,
    parent: createStreamChannel(streams.parent, consoleEra),
    child: createStreamChannel(streams.child, consoleEra),
  };
}

test.each([
  ['whole', undefined],
  ['byte by byte', everyByte],
])('StreamChannel passes the master of a terminal between messages, %s', async (_how, split) => {
  const files = new MemoryFileTable();
  const { parent, child } = consolePair(split);
  const master = files.open();
  await child.send({ type: 'procConsole' });
  await expectSync(parent, 'procConsole');
  await parent.send({ type: 'procConsoleReq' });
  await expectSync(child, 'procConsoleReq');
  await child.sendFile('[master-pty]', master);
  const received = await parent.receiveFile();
  expect([received.name, received.file.description]).toEqual(['[master-pty]', master.description]);
  await parent.send({ type: 'procConsoleAck' });
  await expectSync(child, 'procConsoleAck');
  await child.send({ type: 'procReady' });
  await expectSync(parent, 'procReady');
  received.file[Symbol.dispose]();
  master[Symbol.dispose]();
  expect(files.openCount).toBe(0);
});

test('StreamChannel hands over the message that is glued behind a file', async () => {
  const files = new MemoryFileTable();
  const { parent, streams } = consolePair();
  using master = files.open();
  await streams.child.write(bytesOf('[master-pty]\0{"type":"procReady"}'), master);
  using received = (await parent.receiveFile()).file;
  expect(received.description).toBe(master.description);
  expect(await parent.receive()).toEqual({ message: { type: 'procReady' } });
});

test.each([
  ['bytes without a file', '{"type":"procReady"}', false, 'ERR_SYNC_MALFORMED_OBJECT'],
  ['a name that is too long', `${'x'.repeat(4096)}\0`, true, 'ERR_SYNC_MALFORMED_OBJECT'],
  ['a name that ends early', '[master', true, 'ERR_SYNC_TRUNCATED'],
  ['end of file', '', false, 'ERR_SYNC_EOF'],
])(
  'StreamChannel.receiveFile refuses %s and leaks nothing',
  async (_what, text, withFile, expected) => {
    const files = new MemoryFileTable();
    const { parent, child, streams } = consolePair();
    const master = files.open();
    if (text !== '') await streams.child.write(bytesOf(text), withFile ? master : undefined);
    master[Symbol.dispose]();
    child.close();
    await expect(parent.receiveFile()).rejects.toEqual(code(expected));
    parent.close();
    expect(files.openCount).toBe(0);
  },
);

test('StreamChannel.receiveFile refuses a second file in the name of the first', async () => {
  const files = new MemoryFileTable();
  const { parent, streams } = consolePair();
  {
    using master = files.open();
    await streams.child.write(bytesOf('[master'), master);
    await streams.child.write(bytesOf('-pty]\0'), master);
  }
  await expect(parent.receiveFile()).rejects.toEqual(code('ERR_SYNC_UNEXPECTED_FILE'));
  expect(files.openCount).toBe(0);
});

test('StreamChannel.receiveFile refuses to skip a message that came before', async () => {
  const { parent, streams } = consolePair();
  await streams.child.write(bytesOf('{"type":"procConsole"}{"type":"procReady"}'));
  await expectSync(parent, 'procConsole');
  await expect(parent.receiveFile()).rejects.toEqual(code('ERR_SYNC_MALFORMED_OBJECT'));
});

test('StreamChannel.sendFile refuses a name that the peer could not read', async () => {
  const files = new MemoryFileTable();
  const { child } = consolePair();
  using file = files.open();
  await expect(child.sendFile('a\0b', file)).rejects.toThrow(RangeError);
  await expect(child.sendFile('x'.repeat(4096), file)).rejects.toThrow(RangeError);
});

test('byteStreamOf passes over empty pieces and lets other failures through', async () => {
  const failing = byteStreamOf({
    incoming: piecesOf([new Uint8Array(0), bytesOf('x')], new Error('disk on fire')),
    write: () => Promise.resolve(),
    close: () => undefined,
  });
  expect(await failing.read()).toEqual({ bytes: bytesOf('x') });
  await expect(failing.read()).rejects.toThrow('disk on fire');
});
