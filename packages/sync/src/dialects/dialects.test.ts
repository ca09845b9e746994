import { expect, test } from 'vitest';
import { isSyncError } from '../errors.ts';
import { reportedFailure } from '../expect.ts';
import type { JsonValue } from '../json/json-value.ts';
import type { AnyMessage } from '../message-channel.ts';
import type { StreamDialect } from './dialect.ts';
import { dialects, isDialectName } from './dialects.ts';

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const list = Object.values(dialects);
// One dialect is asked for messages of another only to see that it refuses them.
const streams = list.filter(
  ({ framing }) => framing === 'stream',
) as unknown as readonly StreamDialect[];

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (isSyncError(error)) return error.code;
    throw error;
  }
  throw new TypeError('the call succeeded, but had to fail');
}

function streamOf(name: string): StreamDialect {
  const found = streams.find((dialect) => dialect.name === name);
  if (found === undefined) throw new TypeError(`no stream dialect ${name}`);
  return found;
}

test('dialects has each dialect under its own name and id', () => {
  expect(list.map(({ name }) => name)).toEqual(Object.keys(dialects));
  expect(list.map(({ id }) => id)).toEqual([
    'D0',
    'D1',
    'D2',
    'D2x',
    'D3',
    'D4',
    'D5a',
    'D5b',
    'D6a',
    'D6b',
    'ProcSync',
  ]);
  expect([isDialectName('runc-1.0'), isDialectName('toString')]).toEqual([true, false]);
});

const wire: readonly [dialect: string, type: string, arg: JsonValue | undefined, text: string][] = [
  ['runc-0.0.7', 'procReady', undefined, '{"type":0}'],
  ['runc-0.0.7', 'procStart', undefined, '{"type":2}'],
  ['runc-0.0.7', 'procRun', undefined, '{"type":3}'],
  ['runc-0.0.9', 'procReady', undefined, '{"type":0}'],
  ['runc-0.0.9', 'procRun', undefined, '{"type":2}'],
  ['runc-0.0.9', 'procHooks', undefined, '{"type":3}'],
  ['runc-0.0.9', 'procResume', undefined, '{"type":4}'],
  ['runc-2016-12-01', 'procReady', undefined, '{"type":1}'],
  ['runc-2016-12-01', 'procRun', undefined, '{"type":2}'],
  ['runc-2016-12-01', 'procHooks', undefined, '{"type":3}'],
  ['runc-2016-12-01', 'procResume', undefined, '{"type":4}'],
  ['runc-console', 'procConsole', undefined, '{"type":"procConsole"}'],
  ['runc-console', 'procConsoleReq', undefined, '{"type":"procConsoleReq"}'],
  ['runc-console', 'procConsoleAck', undefined, '{"type":"procConsoleAck"}'],
  ['runc-1.0', 'procHooks', undefined, '{"type":"procHooks"}'],
  ['runc-1.1.0', 'procHooks', undefined, '{"type":"procHooks","fd":-1}'],
  ['runc-1.1.0', 'procResume', undefined, '{"type":"procResume","fd":-1}'],
  ['runc-1.1.0', 'procSeccomp', 6, '{"type":"procSeccomp","fd":6}'],
  ['runc-1.1.13', 'procSeccompDone', undefined, '{"type":"procSeccompDone","fd":-1}'],
  [
    'embedshim',
    'execPid',
    { pid: 4711 },
    '{"type":"execPid","pid":4711,"exited":false,"exited_status":0}',
  ],
  [
    'embedshim',
    'execPidDone',
    undefined,
    '{"type":"execPidDone","pid":0,"exited":false,"exited_status":0}',
  ],
  [
    'embedshim',
    'execStatus',
    { exited: true, exited_status: 256 },
    '{"type":"execStatus","pid":0,"exited":true,"exited_status":256}',
  ],
  [
    'embedshim',
    'execStatus',
    { exited: false },
    '{"type":"execStatus","pid":0,"exited":false,"exited_status":0}',
  ],
  [
    'embedshim',
    'execStatusDone',
    undefined,
    '{"type":"execStatusDone","pid":0,"exited":false,"exited_status":0}',
  ],
  [
    'embedshim',
    'error',
    { message: 'error: <nil>' },
    '{"type":"error","pid":0,"exited":false,"exited_status":0,"message":"error: \\u003cnil\\u003e"}',
  ],
];

test.each(wire)('%s writes %s byte for byte and reads it back', (name, type, arg, text) => {
  const dialect = streamOf(name);
  const message = dialect.message(type, arg);
  expect(dialect.encode(message).map(textOf)).toEqual([text]);
  expect(dialect.decode(text)).toEqual(message);
});

test('every stream dialect gives back every message it encodes', () => {
  for (const dialect of streams) {
    for (const type of Object.keys(dialect.types)) {
      const message = sample(dialect, type);
      const [first = '', second] = dialect.encode(message).map(textOf);
      const decoded = dialect.decode(first);
      expect(dialect.payloadFollows(decoded)).toBe(second !== undefined);
      const whole = second === undefined ? decoded : dialect.withPayload(decoded, second);
      expect(whole).toEqual(message);
    }
  }
});

function sample(dialect: StreamDialect, type: string): AnyMessage {
  if (type === 'procError' || type === 'error') return dialect.failure('no <such> file');
  if (type === 'procSeccomp') return dialect.message(type, 9);
  if (type === 'execPid') return dialect.message(type, { pid: 7 });
  if (type === 'execStatus') return dialect.message(type, { exited: true, exited_status: 9 });
  return dialect.message(type);
}

test('every reply in every dialect is a type that the other end sends', () => {
  for (const { types } of list) {
    const rules: Readonly<Record<string, { sender: string; reply?: string }>> = types;
    for (const [type, { sender, reply }] of Object.entries(rules)) {
      if (reply === undefined) continue;
      expect([type, rules[reply]?.sender]).toEqual([type, sender === 'child' ? 'parent' : 'child']);
    }
  }
});

test('failure makes the error that each dialect sends, and reportedFailure reads its text', () => {
  for (const dialect of list) {
    const error = reportedFailure(dialect.failure('open /x: no such file'));
    expect([dialect.name, error?.text]).toEqual([dialect.name, 'open /x: no such file']);
  }
});

test('runc 0.0.1 writes its error object alone, with a newline', () => {
  const dialect = dialects['runc-0.0.1'];
  const message = dialect.message('procError', { Message: 'x' });
  expect(dialect.encode(message).map(textOf)).toEqual(['{"Message":"x"}\n']);
  expect(codeOf(() => dialect.decode('{"type":"procError"}'))).toBe('ERR_SYNC_MALFORMED_OBJECT');
});

test('runc 1.0 writes procError and its error object with two writes', () => {
  const dialect = dialects['runc-1.0'];
  const message = dialect.message('procError', { Timestamp: 'T', ECode: 10, Message: '<x>' });
  expect(dialect.encode(message).map(textOf)).toEqual([
    '{"type":"procError"}',
    '{"Timestamp":"T","ECode":10,"Message":"\\u003cx\\u003e"}',
  ]);
});

test.each(streams.filter(({ name }) => name !== 'embedshim'))(
  '$name takes an object without a type but with a message for an error',
  (dialect) => {
    const arg = '{"Message":"bad config"}';
    const message = dialect.decode(arg);
    expect(message).toEqual({ type: 'procError', arg, unannounced: true });
    const newline = dialect.name === 'runc-0.0.1' ? '\n' : '';
    expect(dialect.encode(message).map(textOf)).toEqual([`${arg}${newline}`]);
  },
);

test.each([
  ['runc-0.0.7', '{"type":4}'],
  ['runc-0.0.7', '{"type":-0}'],
  ['runc-0.0.7', '{"type":3.0}'],
  ['runc-0.0.7', '{"type":"procRun"}'],
  ['runc-0.0.9', '{"type":5}'],
  ['runc-0.0.9', '{"type":null}'],
  ['runc-0.0.9', '{}'],
  ['runc-1.0', '{"type":3}'],
  ['runc-1.0', '{"type":"procSeccomp"}'],
  ['runc-1.0', '{"type":"procHooksDone"}'],
  ['runc-1.0', '{"type":"procConsole"}'],
  ['runc-1.0', '{"type":"toString"}'],
  ['runc-1.0', '[]'],
  ['runc-1.0', '{'],
  ['runc-1.1.0', '{"type":"procSeccomp"}'],
  ['runc-1.1.0', '{"type":"procSeccomp","fd":-1}'],
  ['runc-1.1.0', '{"type":"procSeccomp","fd":2147483648}'],
  ['runc-1.1.0', '{"type":"procRun","fd":"3"}'],
  ['runc-1.1.0', '{"type":"procRun","fd":1.5}'],
  ['runc-1.1.0', '{"message":5}'],
  ['embedshim', '{"type":"execPid"}'],
  ['embedshim', '{"type":"execPid","pid":0}'],
  ['embedshim', '{"type":"execPid","pid":4294967296}'],
  ['embedshim', '{"type":"execStatus"}'],
  ['embedshim', '{"type":"execStatus","exited":true}'],
  ['embedshim', '{"type":"procRun"}'],
  ['embedshim', '{"message":"x"}'],
  ['embedshim', '[]'],
  ['embedshim', '{'],
])('%s refuses %s', (name, object) => {
  expect(codeOf(() => streamOf(name).decode(object))).toBe('ERR_SYNC_MALFORMED_OBJECT');
});

test.each([
  ['runc-1.1.0', '{"fd":-1,"TYPE":"procRun","extra":[{}]}', { type: 'procRun' }],
  ['runc-1.1.0', '{"type":"procRun","fd":null}', { type: 'procRun' }],
  ['runc-1.1.0', '{"type":"procReady","type":"procRun"}', { type: 'procRun' }],
  ['runc-1.1.0', '{"type":"procSeccomp","Fd":0}', { type: 'procSeccomp', fd: 0 }],
  ['runc-0.0.9', '{"Type":2,"type":null}', { type: 'procRun' }],
  [
    'embedshim',
    '{"Exited":true,"type":"execStatus","exited_status":0}',
    { type: 'execStatus', exited: true, exited_status: 0 },
  ],
  ['embedshim', '{"type":"error"}', { type: 'error', message: '' }],
])('%s reads %s as Go does', (name, object, message) => {
  expect(streamOf(name).decode(object)).toEqual(message);
});

test.each([
  ['runc-1.0', { type: 'procHooksDone' }],
  ['runc-1.0', { type: 'procRun', arg: '{}' }],
  ['runc-1.0', { type: 'procRun', fd: 3 }],
  ['runc-1.0', { type: 'procError' }],
  ['runc-1.0', { type: 'procError', arg: '[]' }],
  ['runc-1.0', { type: 'procError', arg: '{"Message":"\ud800"}' }],
  ['runc-1.0', { type: 'procRun', unannounced: true }],
  ['runc-1.1.0', { type: 'procSeccomp' }],
  ['runc-1.1.0', { type: 'procSeccomp', fd: -1 }],
  ['runc-1.1.0', { type: 'procSeccomp', fd: 1.5 }],
  ['embedshim', { type: 'execPid' }],
  ['embedshim', { type: 'execStatus', exited: true }],
])('%s encodes no %j', (name, message) => {
  expect(codeOf(() => streamOf(name).encode(message as AnyMessage))).toBe(
    'ERR_SYNC_INVALID_MESSAGE',
  );
});

test('runc 1.2 makes messages with the arguments their types have', () => {
  const dialect = dialects['runc-1.2'];
  expect(dialect.message('procSeccomp', 6)).toEqual({ type: 'procSeccomp', flags: 0, arg: '6' });
  expect(dialect.message('procRun')).toEqual({ type: 'procRun', flags: 0 });
  expect(codeOf(() => dialect.message('procRun', 1))).toBe('ERR_SYNC_INVALID_MESSAGE');
  expect(codeOf(() => dialect.message('procSeccomp'))).toBe('ERR_SYNC_INVALID_MESSAGE');
  expect(dialect.decode(dialect.encode(dialect.failure('')))).toEqual(dialect.failure(''));
});

test('withPayload refuses an object that is no error', () => {
  const dialect = dialects['runc-1.0'];
  const announced = dialect.decode('{"type":"procError"}');
  expect(codeOf(() => dialect.withPayload(announced, '{"Message":1}'))).toBe(
    'ERR_SYNC_MALFORMED_OBJECT',
  );
});
