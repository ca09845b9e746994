import { expect, test } from 'vitest';
import { dialects } from '../dialects/dialects.ts';
import { createStreamChannel } from '../stream/stream-channel.ts';
import { memoryChannelPair } from '../testing/memory-channel.ts';
import { MemoryFileTable, type MemoryFile } from '../testing/memory-file.ts';
import { memoryStreamPair } from '../testing/memory-stream.ts';
import type { SyncMessage } from '../sync-message.ts';
import { converse } from './conversation.ts';
import { driveHandshake, type DriveOptions } from './drive-handshake.ts';

const dialect = dialects['runc-1.2'];
const { standard, setns } = dialect.handshakes;
const code = (value: string): unknown => expect.objectContaining({ code: value });
const wait = () => new Promise((resolve) => setImmediate(resolve));

type Options = DriveOptions<SyncMessage, MemoryFile>;

const answers: Options['answers'] = {
  procHooks: () => ({ message: dialect.message('procHooksDone') }),
  procReady: () => ({ message: dialect.message('procRun') }),
  procSeccomp: () => ({ message: dialect.message('procSeccompDone') }),
};

const mount = { source: '/src', destination: '/mnt', device: 'bind' };

test('driveHandshake drives a packet child through every exchange, files included', async () => {
  const { parent, child, files } = memoryChannelPair();
  const driven = driveHandshake(parent, {
    table: standard,
    signal: AbortSignal.timeout(60_000),
    answers: {
      ...answers,
      procMountPlease: () => ({
        message: dialect.message('procMountFd', { type: 'open_tree' }),
        file: files.open(),
      }),
    },
  });
  const conversation = converse(child, standard, 'child');
  for (let mounts = 0; mounts < 3; mounts += 1) {
    const answer = await conversation.request(dialect.message('procMountPlease', mount));
    expect(answer?.message.type).toBe('procMountFd');
    answer?.file?.[Symbol.dispose]();
  }
  await conversation.request(dialect.message('procHooks'));
  await conversation.request(dialect.message('procReady'));
  await conversation.request(dialect.message('procSeccomp', 5));
  conversation.close();
  await driven;
  expect(files.openCount).toBe(0);
});

test('driveHandshake drives a child of runc 1.0 over a byte stream', async () => {
  const streams = memoryStreamPair((bytes) => [bytes.subarray(0, 3), bytes.subarray(3)]);
  const runc10 = dialects['runc-1.0'];
  const parent = createStreamChannel(streams.parent, runc10);
  const child = createStreamChannel(streams.child, runc10);
  const table = runc10.handshakes.standard;
  const order: string[] = [];
  const driven = driveHandshake(parent, {
    table,
    answers: {
      procHooks: ({ message }) => (
        order.push(message.type),
        { message: runc10.message('procResume') }
      ),
      procReady: ({ message }) => (
        order.push(message.type),
        { message: runc10.message('procRun') }
      ),
    },
  });
  const conversation = converse(child, table, 'child');
  expect(await conversation.request({ type: 'procHooks' })).toEqual({
    message: { type: 'procResume' },
  });
  expect(await conversation.request({ type: 'procReady' })).toEqual({
    message: { type: 'procRun' },
  });
  conversation.close();
  await driven;
  expect(order).toEqual(['procHooks', 'procReady']);
});

test('driveHandshake drives embedshim and throws the error of a wrapper', async () => {
  const { embedshim } = dialects;
  const streams = memoryStreamPair();
  const child = createStreamChannel(streams.child, embedshim);
  const driven = driveHandshake(createStreamChannel(streams.parent, embedshim), {
    table: embedshim.handshakes.exec,
    answers: { execPid: () => ({ message: embedshim.message('execPidDone') }) },
  });
  const conversation = converse(child, embedshim.handshakes.exec, 'child');
  await conversation.request({ type: 'execPid', pid: 12 });
  await conversation.send(embedshim.failure('error: exec failed'));
  await expect(driven).rejects.toEqual(
    expect.objectContaining({ code: 'ERR_SYNC_PEER_ERROR', text: 'error: exec failed' }),
  );
});

test('driveHandshake throws the failure that the child reports', async () => {
  const { parent, child } = memoryChannelPair();
  const driven = driveHandshake(parent, { table: standard, answers });
  await child.send(dialect.failure('pivot_root: EINVAL'));
  await expect(driven).rejects.toEqual(
    expect.objectContaining({
      code: 'ERR_SYNC_PEER_ERROR',
      text: 'pivot_root: EINVAL',
      expected: ['procError', 'procHooks', 'procMountPlease'],
    }),
  );
  await expect(parent.receive()).rejects.toEqual(code('ERR_SYNC_CLOSED'));
});

test.each([
  ['dies before it is ready', [], 'missing'],
  ['comes out of order', ['procReady'], 'out-of-order'],
  ['repeats itself', ['procHooks', 'procHooks'], 'duplicate'],
] as const)('driveHandshake refuses a child that %s', async (_what, types, fault) => {
  const { parent, child } = memoryChannelPair();
  const driven = driveHandshake(parent, { table: standard, answers });
  driven.catch(() => undefined);
  for (const type of types) {
    await child.send(dialect.message(type));
    await wait();
  }
  child.close();
  await expect(driven).rejects.toEqual(
    expect.objectContaining({ code: 'ERR_SYNC_HANDSHAKE', fault }),
  );
  await expect(parent.receive()).rejects.toEqual(code('ERR_SYNC_CLOSED'));
});

test('driveHandshake refuses a foreign message in a setns handshake', async () => {
  const { parent, child } = memoryChannelPair();
  const driven = driveHandshake(parent, { table: setns, answers });
  await child.send(dialect.message('procMountPlease', mount));
  await expect(driven).rejects.toEqual(
    expect.objectContaining({ code: 'ERR_SYNC_HANDSHAKE', fault: 'foreign' }),
  );
});

test('driveHandshake ends with a typed error when the child stalls past the deadline', async () => {
  const { parent, child } = memoryChannelPair();
  const controller = new AbortController();
  const driven = driveHandshake(parent, { table: standard, answers, signal: controller.signal });
  await child.send(dialect.message('procHooks'));
  await child.receive();
  const reason = new Error('10 s have passed');
  controller.abort(reason);
  await expect(driven).rejects.toEqual(
    expect.objectContaining({
      code: 'ERR_SYNC_ABORTED',
      step: 'hooks done',
      expected: ['procError from child', 'procReady from child'],
      cause: reason,
    }),
  );
  expect(await child.receive()).toBe(undefined);
});

test('driveHandshake does not begin when its signal is aborted already', async () => {
  const { parent, child } = memoryChannelPair();
  await child.send(dialect.message('procHooks'));
  const driven = driveHandshake(parent, { table: standard, answers, signal: AbortSignal.abort() });
  await expect(driven).rejects.toEqual(code('ERR_SYNC_ABORTED'));
});

test('driveHandshake ends at the deadline while a send hangs', async () => {
  const controller = new AbortController();
  const { parent, child } = memoryChannelPair();
  const hanging = {
    ...bound(parent),
    send: () => new Promise<void>(() => undefined),
  };
  const driven = driveHandshake(hanging, { table: setns, answers, signal: controller.signal });
  await child.send(dialect.message('procReady'));
  await wait();
  controller.abort();
  await expect(driven).rejects.toEqual(code('ERR_SYNC_ABORTED'));
});

function bound(channel: ReturnType<typeof memoryChannelPair>['parent']) {
  return {
    send: channel.send.bind(channel),
    receive: channel.receive.bind(channel),
    close: channel.close.bind(channel),
  };
}

test('driveHandshake passes the failure of an answer on and closes the channel', async () => {
  const { parent, child } = memoryChannelPair();
  const failure = new Error('hook 0 failed');
  const driven = driveHandshake(parent, {
    table: standard,
    answers: { ...answers, procHooks: () => Promise.reject(failure) },
  });
  await child.send(dialect.message('procHooks'));
  await expect(driven).rejects.toBe(failure);
  expect(await child.receive()).toBe(undefined);
});

test('driveHandshake says which message it has no answer for', async () => {
  const { parent, child } = memoryChannelPair();
  const driven = driveHandshake(parent, { table: standard, answers });
  await child.send(dialect.message('procMountPlease', mount));
  await expect(driven).rejects.toEqual(
    expect.objectContaining({ code: 'ERR_SYNC_NO_ANSWER', type: 'procMountPlease' }),
  );
});

test('driveHandshake throws the last words of a child that is gone when it is answered', async () => {
  const { parent, child, files } = memoryChannelPair();
  const driven = driveHandshake(parent, {
    table: standard,
    answers: {
      ...answers,
      procMountPlease: async () => {
        await child.send(dialect.failure('mount: EPERM'));
        child.close();
        return {
          message: dialect.message('procMountFd', { type: 'open_tree' }),
          file: files.open(),
        };
      },
    },
  });
  await child.send(dialect.message('procMountPlease', mount));
  await expect(driven).rejects.toEqual(
    expect.objectContaining({ code: 'ERR_SYNC_PEER_ERROR', text: 'mount: EPERM' }),
  );
  expect(files.openCount).toBe(0);
});

test('driveHandshake says that the child is gone when it left no words', async () => {
  const { parent, child } = memoryChannelPair();
  const driven = driveHandshake(parent, {
    table: setns,
    answers: {
      procReady: () => {
        child.close();
        return { message: dialect.message('procRun') };
      },
    },
  });
  await child.send(dialect.message('procReady'));
  await expect(driven).rejects.toEqual(code('ERR_SYNC_PEER_GONE'));
});

test('converse closes the file of a message that is not due', async () => {
  const { parent, child, files } = memoryChannelPair();
  const conversation = converse(child, standard, 'child');
  using file = files.open();
  await parent.send(dialect.message('procMountFd', { type: 'open_tree' }), file);
  await expect(conversation.receive()).rejects.toEqual(code('ERR_SYNC_HANDSHAKE'));
  expect(files.openCount).toBe(1);
});

test('converse keeps both errors when closing a refused file fails', async () => {
  const { parent, child, files } = memoryChannelPair();
  const failure = new Error('EIO');
  const conversation = converse(child, standard, 'child', {
    disposeFile: (file) => {
      file[Symbol.dispose]();
      throw failure;
    },
  });
  using file = files.open();
  await parent.send(dialect.message('procMountFd', { type: 'open_tree' }), file);
  await expect(conversation.receive()).rejects.toEqual(
    expect.objectContaining({ errors: [code('ERR_SYNC_HANDSHAKE'), failure] }),
  );
});

test('converse closes a file that arrives together with the abort', async () => {
  const files = new MemoryFileTable();
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<{ message: SyncMessage; file: MemoryFile }>();
  const channel = {
    send: () => Promise.resolve(),
    receive: () => promise,
    close: () => undefined,
  };
  const conversation = converse(channel, standard, 'child', { signal: controller.signal });
  await conversation.send(dialect.message('procMountPlease', mount));
  const waiting = conversation.receive();
  controller.abort();
  resolve({
    message: { type: 'procMountFd', flags: 1, arg: '{"type":"open_tree"}' },
    file: files.open(),
  });
  await expect(waiting).rejects.toEqual(code('ERR_SYNC_ABORTED'));
  await wait();
  expect(files.openCount).toBe(0);
});

test('converse refuses to send what is not due, before anything is sent', async () => {
  const { parent, child } = memoryChannelPair();
  const conversation = converse(parent, standard, 'parent');
  await expect(conversation.send(dialect.message('procRun'))).rejects.toEqual(
    code('ERR_SYNC_HANDSHAKE'),
  );
  conversation.close();
  expect(await child.receive()).toBe(undefined);
});

test('converse lets one impatient receive go without ending the dialogue', async () => {
  const { parent, child } = memoryChannelPair();
  const conversation = converse(parent, setns, 'parent');
  const reason = new Error('not now');
  await expect(conversation.receive({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  await child.send(dialect.message('procReady'));
  expect((await conversation.receive())?.message.type).toBe('procReady');
});

test('converse tells the child that its parent is gone while it awaits an answer', async () => {
  const { parent, child } = memoryChannelPair();
  const conversation = converse(child, standard, 'child');
  await conversation.send(dialect.message('procHooks'));
  parent.close();
  await expect(conversation.receive()).rejects.toEqual(
    expect.objectContaining({ code: 'ERR_SYNC_HANDSHAKE', fault: 'missing', from: 'parent' }),
  );
});
