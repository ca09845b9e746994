import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  ChildAnswerReader,
  decodeBootstrap,
  encodeBootstrap,
  encodeChildAnswer,
  type ReadChildAnswer,
} from '../../src/bootstrap.ts';
import { createStreamChannel, dialects, JsonStreamDecoder } from '../../src/dialects.ts';
import { createHandshake, reportedFailure } from '../../src/index.ts';
import { decodeInitConfig, encodeInitConfig } from '../../src/init-config.ts';
import { memoryStreamPair } from '../../src/testing.ts';

function captured(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`runc-1.1.5/${name}`, import.meta.url)));
}

const dialect = dialects['runc-1.1.0'];

/** The sync messages at the end of what one end of a captured run wrote. */
function syncBytes(name: string): string {
  const text = new TextDecoder().decode(captured(name));
  return text.slice(text.indexOf('{"type":"proc'));
}

test.each([
  ['create.child', ['procHooks', 'procReady']],
  ['create.parent', ['procResume', 'procRun']],
  ['create-many-settings.child', ['procHooks', 'procReady']],
  ['create-many-settings.parent', ['procResume', 'procRun']],
] as const)('runc 1.1.0 writes the messages of %s byte for byte', (name, types) => {
  const bytes = types.flatMap((type) => dialect.encode(dialect.message(type)));
  expect(bytes.map((one) => new TextDecoder().decode(one)).join('')).toBe(syncBytes(name));
});

test.each(['create-failing.child', 'exec-failing.child'])(
  'runc 1.1.0 writes the failure of %s byte for byte',
  (name) => {
    const text = 'exec: "/bin/nope": stat /bin/nope: no such file or directory';
    const bytes = dialect.encode(dialect.failure(text));
    const written = bytes.map((one) => new TextDecoder().decode(one)).join('');
    expect(syncBytes(name).endsWith(written)).toBe(true);
  },
);

const runs = ['create', 'create-failing', 'create-many-settings', 'exec', 'exec-failing'] as const;

/** A captured parent's stream in its parts. */
function partsOf(run: string) {
  const bytes = captured(`${run}.parent`);
  const { message, consumed } = decodeBootstrap(bytes, 'runc-1.1');
  const decoder = new JsonStreamDecoder();
  const { object = '', consumed: length } = decoder.pushOne(bytes.subarray(consumed));
  return { bytes, message, consumed, config: object, rest: bytes.subarray(consumed + length) };
}

test.each(runs)('encodeBootstrap reproduces the bootstrap message of %s byte for byte', (run) => {
  const { bytes, message, consumed } = partsOf(run);
  expect(encodeBootstrap(message, 'runc-1.1')).toEqual(bytes.slice(0, consumed));
});

test('decodeBootstrap reads what runc 1.1.5 asked for', () => {
  expect(partsOf('create').message).toEqual({ cloneFlags: 0x2002_0000, rootlessEuid: false });
  expect(partsOf('create-many-settings').message).toEqual({
    cloneFlags: 0x6e02_0000,
    oomScoreAdj: 100,
    rootlessEuid: false,
  });
  const { nsPaths } = partsOf('exec').message;
  expect(nsPaths?.map(({ type, path }) => [type, path.replace(/\d+/, 'PID')])).toEqual([
    ['pid', '/proc/PID/ns/pid'],
    ['mnt', '/proc/PID/ns/mnt'],
  ]);
});

test.each(runs)('encodeInitConfig reproduces the config of %s byte for byte', (run) => {
  const { config } = partsOf(run);
  expect(encodeInitConfig(decodeInitConfig(config, 'runc-1.1'), 'runc-1.1')).toBe(config);
});

test('decodeInitConfig keeps the numbers of runc 1.1.5 exact', () => {
  const { config } = partsOf('create-many-settings');
  const { rlimits, config: container } = decodeInitConfig(config, 'runc-1.1');
  expect(rlimits?.[0]).toEqual({ type: 4, hard: 2n ** 64n - 1n, soft: 2n ** 64n - 1n });
  expect(container?.seccomp?.syscalls?.[0]?.args?.[0]?.value).toBe(2n ** 64n - 1n);
  expect(container?.Hooks?.prestart).toEqual([
    { path: '/bin/true', args: ['true', 'x'], env: ['K=V'], dir: '', timeout: 3_000_000_000 },
  ]);
});

test.each(runs)('ChildAnswerReader reads the pids of %s and leaves the messages', (run) => {
  const bytes = captured(`${run}.child`);
  for (const size of [1, 7, bytes.length]) {
    const reader = new ChildAnswerReader();
    let at = 0;
    let answer: ReadChildAnswer | undefined;
    while (answer === undefined) {
      answer = reader.push(bytes.subarray(at, at + size));
      at += size;
    }
    expect(answer.zeroByte).toBe(true);
    const { stage1Pid, stage2Pid } = answer;
    if (stage1Pid === undefined) throw new TypeError('stage 1 was not named');
    const length = encodeChildAnswer({ stage1Pid, stage2Pid }, '1.1.5').length;
    expect(encodeChildAnswer({ stage1Pid, stage2Pid }, '1.1.5')).toEqual(bytes.slice(0, length));
    expect([...answer.rest, ...bytes.subarray(at)]).toEqual([...bytes.subarray(length - 1)]);
  }
});

const transcripts = [
  ['create', 'standard', ['procHooks', 'procResume', 'procReady', 'procRun']],
  ['create-many-settings', 'standard', ['procHooks', 'procResume', 'procReady', 'procRun']],
  ['exec', 'setns', []],
] as const;

test.each(transcripts)('runc 1.1.0 follows its own table in %s', async (run, init, types) => {
  const handshake = createHandshake(dialect.handshakes[init], 'parent');
  const messages = {
    child: await messagesOf(run, 'child'),
    parent: await messagesOf(run, 'parent'),
  };
  for (const type of types) {
    const { sender } = dialect.types[type];
    const message = messages[sender].shift();
    expect(message?.type).toBe(type);
    if (sender === 'child') handshake.received(type);
    else handshake.sent(type);
  }
  handshake.ended();
  expect([handshake.outcome, messages]).toEqual(['succeeded', { child: [], parent: [] }]);
});

test.each(['create-failing', 'exec-failing'])(
  'runc 1.1.0 reports the failure of %s',
  async (run) => {
    const last = (await messagesOf(run, 'child')).at(-1);
    expect(reportedFailure(last ?? { type: 'none' })?.text).toBe(
      'exec: "/bin/nope": stat /bin/nope: no such file or directory',
    );
  },
);

async function messagesOf(run: string, end: 'parent' | 'child') {
  let alreadyRead: Uint8Array;
  if (end === 'parent') {
    alreadyRead = partsOf(run).rest;
  } else {
    const answer = new ChildAnswerReader().push(captured(`${run}.child`));
    if (answer === undefined) throw new TypeError('the answer is not whole');
    alreadyRead = answer.rest;
  }
  const streams = memoryStreamPair();
  streams.child.close();
  const channel = createStreamChannel(streams.parent, dialect, { alreadyRead });
  const messages = [];
  for (let next = await channel.receive(); next; next = await channel.receive()) {
    messages.push(next.message);
  }
  return messages;
}
