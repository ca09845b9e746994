import { expect, test } from 'vitest';
import {
  createStreamChannel,
  dialects,
  type DialectName,
  type StreamDialect,
} from '../../src/dialects.ts';
import {
  createHandshake,
  type AnyMessage,
  type HandshakeTable,
  type SyncEnd,
} from '../../src/index.ts';
import { memoryStreamPair } from '../../src/testing.ts';

// One whole conversation for each dialect and each thing a child is started for, as it stands on
// the wire by the sources of the releases. Those of runc 1.1.5 and 1.2.0-rc.1 were also captured:
// see the folders beside this file.

type Transcript = {
  readonly dialect: DialectName;
  readonly init: string;
  /** `>` is what the child writes, `<` what the parent writes, one line for each write call. */
  readonly wire: string;
};

const genericError =
  '{"Timestamp":"2016-12-01T10:00:00.5Z","ECode":10,"Cause":"","Message":"no such file","Stack":{"Frames":null}}';

const transcripts: readonly Transcript[] = [
  { dialect: 'runc-0.0.1', init: 'standard', wire: '' },
  { dialect: 'runc-0.0.1', init: 'setns', wire: `> ${genericError}` },
  { dialect: 'runc-0.0.7', init: 'standard', wire: '> {"type":0}\n< {"type":3}' },
  {
    dialect: 'runc-0.0.7',
    init: 'standard',
    wire: `> {"type":0}\n< {"type":3}\n> {"type":1}\n> ${genericError}`,
  },
  { dialect: 'runc-0.0.7', init: 'setns', wire: `> ${genericError}` },
  {
    dialect: 'runc-0.0.9',
    init: 'standard',
    wire: '> {"type":3}\n< {"type":4}\n> {"type":0}\n< {"type":2}',
  },
  { dialect: 'runc-0.0.9', init: 'standardWithoutMounts', wire: '> {"type":0}\n< {"type":2}' },
  { dialect: 'runc-0.0.9', init: 'setns', wire: `> ${genericError}` },
  {
    dialect: 'runc-2016-12-01',
    init: 'standard',
    wire: '> {"type":3}\n< {"type":4}\n> {"type":1}\n< {"type":2}',
  },
  { dialect: 'runc-2016-12-01', init: 'setns', wire: `> {"type":0}\n> ${genericError}` },
  {
    dialect: 'runc-console',
    init: 'standard',
    wire: [
      '> {"type":"procHooks"}',
      '< {"type":"procResume"}',
      '> {"type":"procConsole"}',
      '< {"type":"procConsoleReq"}',
      '< {"type":"procConsoleAck"}',
      '> {"type":"procReady"}',
      '< {"type":"procRun"}',
    ].join('\n'),
  },
  {
    dialect: 'runc-console',
    init: 'setns',
    wire: '> {"type":"procConsole"}\n< {"type":"procConsoleReq"}\n< {"type":"procConsoleAck"}',
  },
  {
    dialect: 'runc-1.0',
    init: 'standard',
    wire: [
      '> {"type":"procHooks"}',
      '< {"type":"procResume"}',
      '> {"type":"procReady"}',
      '< {"type":"procRun"}',
    ].join('\n'),
  },
  { dialect: 'runc-1.0', init: 'setns', wire: `> {"type":"procError"}\n> ${genericError}` },
  {
    dialect: 'runc-1.1.0',
    init: 'standard',
    wire: [
      '> {"type":"procHooks","fd":-1}',
      '< {"type":"procResume","fd":-1}',
      '> {"type":"procReady","fd":-1}',
      '< {"type":"procRun","fd":-1}',
      '> {"type":"procSeccomp","fd":6}',
      '< {"type":"procSeccompDone","fd":-1}',
    ].join('\n'),
  },
  {
    dialect: 'runc-1.1.0',
    init: 'setns',
    wire: '> {"type":"procSeccomp","fd":6}\n< {"type":"procSeccompDone","fd":-1}',
  },
  {
    dialect: 'runc-1.1.13',
    init: 'setns',
    wire: [
      '> {"type":"procReady","fd":-1}',
      '< {"type":"procRun","fd":-1}',
      '> {"type":"procError","fd":-1}',
      '> {"message":"no such file"}',
    ].join('\n'),
  },
  {
    dialect: 'runc-1.2.0-rc.1',
    init: 'setns',
    wire: '> {"type":"procSeccomp","flags":0,"arg":6}\n< {"type":"procSeccompDone","flags":0}',
  },
  {
    dialect: 'runc-1.2',
    init: 'standard',
    wire: [
      '> {"type":"procMountPlease","flags":0,"arg":{"source":"/src","destination":"/mnt","device":"bind"}}',
      '< {"type":"procMountFd","flags":1,"arg":{"type":"open_tree"}}',
      '> {"type":"procHooks","flags":0}',
      '< {"type":"procHooksDone","flags":0}',
      '> {"type":"procReady","flags":0}',
      '< {"type":"procRun","flags":0}',
    ].join('\n'),
  },
  {
    dialect: 'runc-1.2',
    init: 'setns',
    wire: '> {"type":"procReady","flags":0}\n< {"type":"procRun","flags":0}\n> {"type":"procError","flags":0,"arg":{"message":"x"}}',
  },
  {
    dialect: 'embedshim',
    init: 'exec',
    wire: [
      '> {"type":"execPid","pid":4711,"exited":false,"exited_status":0}',
      '< {"type":"execPidDone","pid":0,"exited":false,"exited_status":0}',
      '> {"type":"execStatus","pid":0,"exited":true,"exited_status":139}',
      '< {"type":"execStatusDone","pid":0,"exited":false,"exited_status":0}',
    ].join('\n'),
  },
];

const named = transcripts.map((each) => ({ ...each, outcome: outcomeOf(each.wire) }));

function outcomeOf(wire: string): string {
  return /procError|no such file/.test(wire) ? 'failed' : 'succeeded';
}

/** The messages of a transcript in their order, decoded and written again. */
async function messagesOf({ dialect: name, wire }: Transcript) {
  const dialect = dialects[name];
  const writes =
    wire === '' ? [] : wire.split('\n').map((line) => [line[0], line.slice(2)] as const);
  const list: { from: SyncEnd; message: AnyMessage; written: string }[] = [];
  let announced: AnyMessage | undefined;
  for (const [mark, text] of writes) {
    const from = mark === '>' ? 'child' : 'parent';
    if (dialect.framing === 'packet') {
      const message = dialect.decode(new TextEncoder().encode(text));
      list.push({ from, message, written: new TextDecoder().decode(dialect.encode(message)) });
      continue;
    }
    const stream = dialect as unknown as StreamDialect;
    const message =
      announced === undefined ? stream.decode(text) : stream.withPayload(announced, text);
    announced = stream.payloadFollows(message) ? message : undefined;
    if (announced !== undefined) continue;
    const bytes = stream.encode(message).map((one) => new TextDecoder().decode(one));
    list.push({ from, message, written: bytes.join('\n').trimEnd() });
  }
  return list;
}

test.each(named)(
  '$dialect writes its $init conversation that $outcome byte for byte',
  async (each) => {
    const list = await messagesOf(each);
    const marks = list.map(({ from, written }) =>
      written
        .split('\n')
        .map((line) => `${from === 'child' ? '>' : '<'} ${line}`)
        .join('\n'),
    );
    expect(marks.join('\n')).toBe(each.wire);
  },
);

test.each(named)(
  '$dialect allows its $init conversation that $outcome at both ends',
  async (each) => {
    const tables: Readonly<Record<string, HandshakeTable<string>>> =
      dialects[each.dialect].handshakes;
    const table = tables[each.init];
    if (table === undefined) throw new TypeError(`${each.dialect} has no ${each.init}`);
    for (const end of ['parent', 'child'] as const) {
      const handshake = createHandshake(table, end);
      for (const { from, message } of await messagesOf(each)) {
        if (from === end) handshake.sent(message.type);
        else handshake.received(message.type);
      }
      handshake.ended();
      expect(handshake.outcome).toBe(each.outcome);
    }
  },
);

const streamed = named.filter(({ dialect }) => dialects[dialect].framing === 'stream');

test.each(streamed)(
  'StreamChannel reads the $init conversation of $dialect that $outcome',
  async (each) => {
    const dialect = dialects[each.dialect] as unknown as StreamDialect;
    const streams = memoryStreamPair((bytes) => [...bytes].map((byte) => Uint8Array.of(byte)));
    const all = await messagesOf(each);
    const sent = all.filter(({ from }) => from === 'child').map(({ message }) => message);
    const text = each.wire.split('\n').filter((line) => line.startsWith('>'));
    await streams.child.write(new TextEncoder().encode(text.map((line) => line.slice(2)).join('')));
    streams.child.close();
    const channel = createStreamChannel(streams.parent, dialect);
    const received = [];
    for (let next = await channel.receive(); next; next = await channel.receive()) {
      received.push(next.message);
    }
    expect(received).toEqual(sent);
  },
);

test('every dialect has a transcript', () => {
  expect(new Set(transcripts.map(({ dialect }) => dialect))).toEqual(
    new Set(Object.keys(dialects)),
  );
});
