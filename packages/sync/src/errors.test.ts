import { expect, test } from 'vitest';
import * as errors from './errors.ts';

const samples: readonly errors.SyncError[] = [
  new errors.JsonError('m', 'h', 3),
  new errors.MalformedPacketError('m', true),
  new errors.InvalidMessageError('m', 'h'),
  new errors.PacketTooLargeError('encode', 2, 1),
  new errors.MalformedArgError({
    type: 'procSeccomp',
    path: '',
    expected: 'int',
    received: 'null',
  }),
  new errors.InvalidArgError('procSeccomp', 'm', 'h'),
  new errors.UnexpectedTypeError(['procRun'], 'procReady'),
  new errors.EndOfSyncError(['procRun']),
  new errors.PeerInitError('m', { text: '', rawArg: '{}', expected: [] }),
  new errors.HandshakeError({
    fault: 'missing',
    handshake: 'h',
    step: 's',
    expected: [],
    received: 'end of file',
    from: 'child',
  }),
  new errors.ChannelClosedError('send'),
  new errors.PeerGoneError('procRun'),
];

test.each(samples.map((error) => ({ name: error.name, error })))(
  'isSyncError recognises $name, which has a code and a hint',
  ({ name, error }) => {
    expect(errors.isSyncError(error)).toBe(true);
    expect(error.code).toMatch(/^ERR_SYNC_[A-Z_]+$/);
    expect(error.hint.length).toBeGreaterThan(0);
    expect(error.constructor.name).toBe(name);
    expect(errors.isPeerInitError(error)).toBe(name === 'PeerInitError');
  },
);

test('errors have a code of their own for each class', () => {
  expect(new Set(samples.map(({ code }) => code)).size).toBe(samples.length);
});

test('isSyncError recognises an error that another copy of the package made', () => {
  const foreign = Object.assign(new Error('x'), { code: 'ERR_SYNC_PEER_ERROR' });
  expect(errors.isSyncError(foreign)).toBe(false);
  Object.defineProperty(foreign, Symbol.for('@pilotlight/sync.error'), { value: true });
  expect(errors.isSyncError(foreign)).toBe(true);
  expect(errors.isPeerInitError(foreign)).toBe(true);
});

test.each([null, undefined, 'ERR_SYNC_EOF', {}, new Error('x')])(
  'isSyncError refuses %s',
  (value) => {
    expect(errors.isSyncError(value)).toBe(false);
  },
);
