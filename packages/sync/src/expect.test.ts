import { expect, test } from 'vitest';
import {
  EndOfSyncError,
  isPeerInitError,
  isSyncError,
  PeerInitError,
  UnexpectedTypeError,
} from './errors.ts';
import { expectSync, peerInitError } from './expect.ts';
import type { SyncChannel } from './sync-channel.ts';
import { memoryChannelPair } from './testing/memory-channel.ts';

async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return undefined;
}

test('expectSync gives the message and its file to the caller', async () => {
  const { parent, child, files } = memoryChannelPair();
  using file = files.open();
  await parent.send({ type: 'procMountFd', flags: 0, arg: '{"type":"open_tree"}' }, file);
  const { message, file: received } = await expectSync(child, ['procRun', 'procMountFd']);
  expect(message).toEqual({ type: 'procMountFd', flags: 1, arg: '{"type":"open_tree"}' });
  expect(received?.isOpen()).toBe(true);
  received?.[Symbol.dispose]();
});

test('expectSync refuses a stray message and closes its file', async () => {
  const { parent, child, files } = memoryChannelPair();
  const file = files.open();
  await parent.send({ type: 'procMountFd', flags: 0, arg: '{"type":"open_tree"}' }, file);
  file[Symbol.dispose]();
  const error = await failure(expectSync(child, 'procHooksDone'));
  expect(error).toBeInstanceOf(UnexpectedTypeError);
  expect(error).toMatchObject({
    code: 'ERR_SYNC_UNEXPECTED_TYPE',
    message: 'receive procHooksDone: received procMountFd',
    expected: ['procHooksDone'],
    received: 'procMountFd',
  });
  expect(files.openCount).toBe(0);
});

test('expectSync keeps both errors when closing a stray file fails', async () => {
  const channel: SyncChannel<object> = {
    send: () => Promise.resolve(),
    receive: () => Promise.resolve({ message: { type: 'procMountFd', flags: 1 }, file: {} }),
    close: () => undefined,
  };
  const broken = new Error('EIO');
  const disposeFile = (): Promise<void> => Promise.reject(broken);
  const error = await failure(expectSync(channel, 'procRun', { disposeFile }));
  expect(error).toMatchObject({ errors: [{ code: 'ERR_SYNC_UNEXPECTED_TYPE' }, broken] });
});

test('expectSync turns procError into a PeerInitError with everything the child sent', async () => {
  const { parent, child } = memoryChannelPair();
  const arg = '{"message":"mount proc: EPERM","stage":"mounts","limit":18446744073709551615}';
  await child.send({ type: 'procError', flags: 0, arg });
  const error = await failure(expectSync(parent, ['procHooks', 'procMountPlease']));
  expect(isPeerInitError(error)).toBe(true);
  expect(error).toMatchObject({
    code: 'ERR_SYNC_PEER_ERROR',
    message: 'the child failed: mount proc: EPERM',
    text: 'mount proc: EPERM',
    arg: { message: 'mount proc: EPERM', stage: 'mounts', limit: 18446744073709551615n },
    rawArg: arg,
    expected: ['procHooks', 'procMountPlease'],
  });
});

test('expectSync gives procError back when it is expected', async () => {
  const { parent, child } = memoryChannelPair();
  await child.send({ type: 'procError', flags: 0, arg: '{}' });
  expect((await expectSync(parent, ['procReady', 'procError'])).message.type).toBe('procError');
});

test('expectSync turns an error that was not announced into a PeerInitError', async () => {
  const { parent, sendRaw } = memoryChannelPair();
  sendRaw(new TextEncoder().encode('{"Message":"bad config","ECode":10}'));
  expect(await failure(expectSync(parent, 'procReady'))).toMatchObject({
    code: 'ERR_SYNC_PEER_ERROR',
    text: 'bad config',
    arg: { message: 'bad config', ECode: 10 },
  });
});

test('expectSync names what it awaited when the channel ends', async () => {
  const { parent, child } = memoryChannelPair();
  child.close();
  const error = await failure(expectSync(parent, ['procHooks', 'procMountPlease']));
  expect(error).toBeInstanceOf(EndOfSyncError);
  expect(error).toMatchObject({
    code: 'ERR_SYNC_EOF',
    message: 'receive procHooks or procMountPlease: the peer closed the channel first',
    expected: ['procHooks', 'procMountPlease'],
  });
});

test('expectSync stops waiting when its signal is aborted', async () => {
  const { parent, child } = memoryChannelPair();
  const controller = new AbortController();
  const waiting = failure(expectSync(parent, 'procReady', { signal: controller.signal }));
  const reason = new Error('no patience');
  controller.abort(reason);
  expect(await waiting).toBe(reason);
  await child.send({ type: 'procReady', flags: 0 });
  expect((await expectSync(parent, 'procReady')).message.type).toBe('procReady');
});

test('peerInitError bounds a long text in its message and keeps it whole beside', () => {
  const text = 'x'.repeat(50_000);
  const error = peerInitError(JSON.stringify({ message: text }));
  expect(error.text).toBe(text);
  expect(error.message.length).toBeLessThan(1100);
  expect(error.message).toContain('50000 characters');
});

test('peerInitError says so when the child gave no reason', () => {
  expect(peerInitError('{}').message).toBe('the child failed and gave no reason');
});

test.each(['"text"', '{"message":3}', '[1]', '', '{'])(
  'peerInitError reports a failure whose argument is %s',
  (raw) => {
    const error = peerInitError(raw);
    expect(error).toBeInstanceOf(PeerInitError);
    expect(error).toMatchObject({ text: '', rawArg: raw });
    expect('arg' in error).toBe(false);
    expect(isSyncError(error.cause)).toBe(true);
  },
);
