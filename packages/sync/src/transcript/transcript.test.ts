import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { dialects } from '../dialects/dialects.ts';
import { expectSync } from '../expect.ts';
import { converse } from '../handshake/conversation.ts';
import { driveHandshake } from '../handshake/drive-handshake.ts';
import type { MessageChannel } from '../message-channel.ts';
import { createStreamChannel } from '../stream/stream-channel.ts';
import type { SyncMessage } from '../sync-message.ts';
import { syncChannelCompliance } from '../testing/compliance.ts';
import { memoryChannelPair } from '../testing/memory-channel.ts';
import { MemoryFileTable, type MemoryFile } from '../testing/memory-file.ts';
import { memoryStreamPair } from '../testing/memory-stream.ts';
import { fromBase64, toBase64 } from './base64.ts';
import { renderTranscript } from './render-transcript.ts';
import { replayByteStream } from './replay-byte-stream.ts';
import { replayTranscript } from './replay-transcript.ts';
import { tapByteStream } from './tap-byte-stream.ts';
import { tapChannel } from './tap-channel.ts';
import { parseTranscript, type TranscriptData, type TranscriptLine } from './transcript-line.ts';

const dialect = dialects['runc-1.2'];
const table = dialect.handshakes.standard;
const code = (value: string): Error => expect.objectContaining({ code: value }) as Error;

/** A clock that goes on by three milliseconds with each look. */
function clock(): () => Date {
  let time = Date.parse('2026-01-02T03:04:05.000Z');
  return () => new Date((time += 3));
}

function parentAnswers(files: MemoryFileTable) {
  return {
    table,
    answers: {
      procMountPlease: () => ({
        message: dialect.message('procMountFd', { type: 'open_tree' }),
        file: files.open(),
      }),
      procHooks: () => ({ message: dialect.message('procHooksDone') }),
      procReady: () => ({ message: dialect.message('procRun') }),
    },
  };
}

async function playChild(channel: MessageChannel<SyncMessage, MemoryFile>): Promise<void> {
  const child = converse(channel, table, 'child');
  const mount = { source: '/src', destination: '/mnt', device: 'bind' };
  const answer = await child.request(dialect.message('procMountPlease', mount));
  answer?.file?.[Symbol.dispose]();
  await child.request(dialect.message('procHooks'));
  await child.request(dialect.message('procReady'));
  child.close();
}

/** The transcript of a whole launch, recorded at one end. */
async function recordLaunch(end: 'parent' | 'child'): Promise<readonly string[]> {
  const { parent, child, files } = memoryChannelPair();
  const lines: string[] = [];
  const sink = (line: string): void => void lines.push(line);
  const options = {
    dialect: 'runc-1.2',
    end,
    now: clock(),
    describeFile: () => ({ fd: 9, kind: 'mount source' }),
  } as const;
  const tapped = tapChannel(end === 'parent' ? parent : child, sink, options);
  const driven = driveHandshake(end === 'parent' ? tapped : parent, parentAnswers(files));
  await playChild(end === 'child' ? tapped : child);
  await driven;
  expect(files.openCount).toBe(0);
  return lines;
}

test('tapChannel records a launch in the order it happened, at either end', async () => {
  for (const end of ['parent', 'child'] as const) {
    const lines = parseTranscript((await recordLaunch(end)).join('\n'));
    expect(lines.map(short)).toEqual([
      `begin runc-1.2 ${end}`,
      'child procMountPlease',
      'parent procMountFd +9 mount source',
      'child procHooks',
      'parent procHooksDone',
      'child procReady',
      'parent procRun',
      'child end',
    ]);
    const sent = lines.filter((line): line is TranscriptData => line.event === 'data');
    for (const { raw, messages } of sent) {
      expect(dialect.decode(fromBase64(raw) ?? new Uint8Array(0))).toEqual(messages[0]);
    }
  }
});

function short(line: TranscriptLine): string {
  switch (line.event) {
    case 'begin':
      return `begin ${line.dialect} ${line.recordedBy}`;
    case 'end':
      return `${line.from} end`;
    case 'failure':
      return `${line.from} ${line.code}`;
    case 'data': {
      const fds = (line.fds ?? []).map(({ fd, kind }) => ` +${fd} ${kind}`).join('');
      return `${line.from} ${line.messages.map(({ type }) => type).join(' ')}${fds}`;
    }
  }
}

test('replayTranscript lets a parent go through the same launch again, several times', async () => {
  const lines = parseTranscript((await recordLaunch('parent')).join('\n'));
  for (let round = 0; round < 3; round += 1) {
    const files = new MemoryFileTable();
    const channel = replayTranscript<SyncMessage, MemoryFile>(lines);
    expect(channel.remaining).toBe(6);
    await driveHandshake(channel, parentAnswers(files));
    expect([channel.remaining, files.openCount]).toEqual([0, 0]);
  }
});

test('replayTranscript lets a child go through the same launch again', async () => {
  const files = new MemoryFileTable();
  const lines = parseTranscript((await recordLaunch('parent')).join('\n'));
  const seen: unknown[] = [];
  const channel = replayTranscript<SyncMessage, MemoryFile>(lines, {
    end: 'child',
    makeFile: (fd) => (seen.push(fd), files.open()),
  });
  await playChild(channel);
  expect(seen).toEqual([{ fd: 9, kind: 'mount source' }]);
  expect([channel.remaining, files.openCount]).toEqual([0, 0]);
});

test('replayTranscript refuses what was not said, naming both', async () => {
  const lines = parseTranscript((await recordLaunch('parent')).join('\n'));
  const channel = replayTranscript<SyncMessage>(lines);
  await expect(channel.send(dialect.message('procRun'))).rejects.toThrow(
    /^replay a transcript: expected \{"type":"procMountPlease".*from child, received \{"type":"procRun","flags":0\} from parent$/,
  );
  await expectSync(channel, 'procMountPlease');
  await expect(channel.send(dialect.message('procRun'))).rejects.toEqual(code('ERR_SYNC_REPLAY'));
});

test('replayTranscript waits with a receive until this end has said what was due', async () => {
  const lines = parseTranscript((await recordLaunch('child')).join('\n'));
  const channel = replayTranscript<SyncMessage, string>(lines, { makeFile: ({ kind }) => kind });
  const controller = new AbortController();
  const aborted = channel.receive({ signal: controller.signal });
  const waiting = channel.receive();
  controller.abort(new Error('no patience'));
  await expect(aborted).rejects.toThrow('no patience');
  const mount = { source: '/src', destination: '/mnt', device: 'bind' };
  await channel.send(dialect.message('procMountPlease', mount));
  expect((await waiting)?.file).toBe('mount source');
  channel.close();
  await expect(channel.receive()).rejects.toEqual(code('ERR_SYNC_CLOSED'));
  await expect(channel.send(dialect.message('procHooks'))).rejects.toEqual(code('ERR_SYNC_CLOSED'));
});

test('replayTranscript says where the transcript breaks off, and wants makeFile for a file', async () => {
  const all = parseTranscript((await recordLaunch('child')).join('\n'));
  const mount = { source: '/src', destination: '/mnt', device: 'bind' };
  const broken = replayTranscript<SyncMessage>(all.slice(0, 2));
  await broken.send(dialect.message('procMountPlease', mount));
  await expect(broken.receive()).rejects.toThrow('the transcript breaks off');
  const channel = replayTranscript<SyncMessage>(all);
  await channel.send(dialect.message('procMountPlease', mount));
  await expect(channel.receive()).rejects.toThrow('makeFile');
});

test('replayTranscript gives recorded failures again', async () => {
  const { parent, child } = memoryChannelPair();
  const lines: string[] = [];
  const tapped = tapChannel(parent, (line) => lines.push(line), {
    dialect: 'runc-1.2',
    end: 'parent',
  });
  await child.send(dialect.failure('last words'));
  child.close();
  await expect(tapped.send(dialect.message('procRun'))).rejects.toEqual(code('ERR_SYNC_PEER_GONE'));
  await tapped.receive();
  await tapped.receive();
  await tapped.receive();
  tapped.close();
  tapped.close();
  await expect(tapped.receive()).rejects.toEqual(code('ERR_SYNC_CLOSED'));
  const recorded = parseTranscript(lines.join('\n'));
  expect(recorded.map(short)).toEqual([
    'begin runc-1.2 parent',
    'parent procRun',
    'parent ERR_SYNC_PEER_GONE',
    'child procError',
    'child end',
    'parent end',
    'child ERR_SYNC_CLOSED',
  ]);
  const channel = replayTranscript<SyncMessage>(recorded);
  await expect(channel.send(dialect.message('procRun'))).rejects.toEqual(
    code('ERR_SYNC_PEER_GONE'),
  );
  expect((await channel.receive())?.message).toEqual(dialect.failure('last words'));
  expect(await channel.receive()).toBe(undefined);
  expect(await channel.receive()).toBe(undefined);
});

test('tapChannel records a refused message as a failure without bytes', async () => {
  const { parent } = memoryChannelPair();
  const lines: string[] = [];
  const tapped = tapChannel(parent, (line) => lines.push(line), {
    dialect: 'runc-1.2',
    end: 'parent',
  });
  const wrong: SyncMessage = { type: 'procSeccomp', flags: 0 };
  await expect(tapped.send(wrong)).rejects.toEqual(code('ERR_SYNC_INVALID_MESSAGE'));
  const recorded = parseTranscript(lines.join('\n'));
  expect(recorded.map(short)).toEqual(['begin runc-1.2 parent', 'parent ERR_SYNC_INVALID_MESSAGE']);
  const channel = replayTranscript<SyncMessage>(recorded);
  await expect(channel.send(wrong)).rejects.toEqual(code('ERR_SYNC_INVALID_MESSAGE'));
});

test('tapChannel goes on when its sink fails, and says so once', async () => {
  const { parent, child } = memoryChannelPair();
  const failures: unknown[] = [];
  const full = new Error('ENOSPC');
  const tapped = tapChannel(
    parent,
    () => {
      throw full;
    },
    { dialect: 'runc-1.2', end: 'parent', onSinkFailure: (error) => failures.push(error) },
  );
  await child.send(dialect.message('procHooks'));
  expect(await tapped.receive()).toEqual({ message: dialect.message('procHooks') });
  await tapped.send(dialect.message('procHooksDone'));
  expect(failures).toEqual([full]);
});

// A tap must change nothing: what every channel has to do, a tapped one does too.
const files = new MemoryFileTable();
syncChannelCompliance(
  {
    name: 'a tapped channel',
    openFiles: () => files.openCount,
    makePair: () => {
      const { parent, child, sendRaw } = memoryChannelPair(files);
      const tapped = tapChannel(parent, () => undefined, { dialect: 'runc-1.2', end: 'parent' });
      return {
        parent: tapped,
        child,
        sendRaw,
        makeFile: () => files.open(),
        sameFile: (one, other) => one.description === other.description,
        closeFile: (file) => file[Symbol.dispose](),
        dispose: () => {
          tapped.close();
          child.close();
        },
      };
    },
  },
  { describe: (_name, body) => body(), it: test, expect },
);

const streamDialect = dialects['runc-console'];

async function recordStream(): Promise<readonly TranscriptLine[]> {
  const lines: string[] = [];
  const table0 = new MemoryFileTable();
  const streams = memoryStreamPair((bytes) => [bytes.subarray(0, 7), bytes.subarray(7)]);
  const tapped = tapByteStream(streams.parent, (line) => lines.push(line), {
    dialect: 'runc-console',
    end: 'parent',
    now: clock(),
    describeFile: () => ({ fd: 12, kind: 'pty master' }),
  });
  const parent = createStreamChannel(tapped, streamDialect);
  const child = createStreamChannel(streams.child, streamDialect);
  await child.send({ type: 'procConsole' });
  await parent.receive();
  await parent.send({ type: 'procConsoleReq' });
  using master = table0.open();
  await child.sendFile('[master-pty]', master);
  using received = (await parent.receiveFile()).file;
  expect(received.description).toBe(master.description);
  await parent.send({ type: 'procConsoleAck' });
  await child.send({ ...streamDialect.failure('x'), arg: '{"Message":"x"}' });
  await parent.receive();
  child.close();
  await parent.receive();
  return parseTranscript(lines.join('\n'));
}

test('tapByteStream records every piece as it is, and the messages it completes', async () => {
  const lines = await recordStream();
  expect(lines.map(short)).toEqual([
    'begin runc-console parent',
    'child ',
    'child procConsole',
    'parent procConsoleReq',
    'child  +12 pty master',
    'child ',
    'parent procConsoleAck',
    'child ',
    'child ',
    'child ',
    'child procError',
    'child end',
  ]);
});

test('replayByteStream plays the same pieces again under a channel', async () => {
  const lines = await recordStream();
  const stream = replayByteStream(lines, { makeFile: ({ kind }) => kind });
  const channel = createStreamChannel(stream, streamDialect, { disposeFile: () => undefined });
  await expectSync(channel, 'procConsole', { disposeFile: () => undefined });
  await channel.send({ type: 'procConsoleReq' });
  expect(await channel.receiveFile()).toEqual({ name: '[master-pty]', file: 'pty master' });
  const waiting = channel.receive();
  await channel.send({ type: 'procConsoleAck' });
  expect((await waiting)?.message).toEqual({ type: 'procError', arg: '{"Message":"x"}' });
  expect(await channel.receive()).toBe(undefined);
});

test('replayByteStream refuses other bytes and bytes that are not due', async () => {
  const lines = await recordStream();
  const stream = replayByteStream(lines);
  const bytes = new TextEncoder().encode('{"type":"procConsoleAck"}');
  await expect(stream.write(bytes)).rejects.toThrow('nothing to be written here');
  await stream.read();
  await stream.read();
  await expect(stream.write(bytes)).rejects.toThrow('procConsoleReq');
  await stream.write(new TextEncoder().encode('{"type":"procConsole'));
  await stream.write(new TextEncoder().encode('Req"}'));
  await expect(stream.read()).rejects.toThrow('makeFile');
  stream.close();
  expect(await stream.read()).toBe(undefined);
  await expect(replayByteStream(lines.slice(0, 1)).read()).rejects.toThrow('breaks off');
});

test('tapByteStream records what it cannot decode, and why', async () => {
  const lines: string[] = [];
  const streams = memoryStreamPair();
  const tapped = tapByteStream(streams.parent, (line) => lines.push(line), {
    dialect: 'runc-1.0',
    end: 'parent',
  });
  await streams.child.write(new TextEncoder().encode('{"type":"procHooks"}\0'));
  await streams.child.write(new TextEncoder().encode('{"type":"procReady"}'));
  await tapped.read();
  await tapped.read();
  const [, first, second] = parseTranscript(lines.join('\n'));
  expect(first).toMatchObject({
    messages: [{ type: 'procHooks' }],
    undecoded: expect.stringContaining('expected an object') as string,
  });
  expect(second).toMatchObject({
    messages: [],
    raw: toBase64(new TextEncoder().encode('{"type":"procReady"}')),
  });
});

test('tapByteStream refuses a dialect of packets, and records failures', async () => {
  const { parent, child } = memoryStreamPair();
  expect(() =>
    tapByteStream(parent, () => undefined, { dialect: 'runc-1.2', end: 'parent' }),
  ).toThrow(TypeError);
  const lines: string[] = [];
  const options = { dialect: 'runc-1.0', end: 'parent' } as const;
  const tapped = tapByteStream(parent, (line) => lines.push(line), options);
  child.close();
  await expect(tapped.write(new TextEncoder().encode('{"type":"procRun"}'))).rejects.toThrow(
    'EPIPE',
  );
  tapped.close();
  expect(parseTranscript(lines.join('\n')).map(short)).toEqual([
    'begin runc-1.0 parent',
    'parent procRun',
    'parent ERR_UNKNOWN',
    'parent end',
  ]);
});

test('renderTranscript draws the dialogue in two columns', async () => {
  const lines = parseTranscript((await recordLaunch('parent')).join('\n'));
  expect(renderTranscript(lines, { width: 100 })).toBe(
    `runc-1.2 (runc 1.2.0-rc.2 to 1.5.1), recorded by the parent at 2026-01-02T03:04:05.003Z

      ms  parent                                                child
       3                                        <-------------  procMountPlease {"source":"/src","de
                                                                stination":"/mnt","device":"bind"}
       6  procMountFd {"type":"open_tree"}      ------------->
          + fd 9 (mount source)                 ------------->
       9                                        <-------------  procHooks
      12  procHooksDone                         ------------->
      15                                        <-------------  procReady
      18  procRun                               ------------->
      21                                        <-------------  end of file
`,
  );
});

test('renderTranscript keeps to the width and lets no character through that a terminal obeys', () => {
  const nasty = fc.string({ unit: 'binary', maxLength: 80 });
  const begin: TranscriptLine = {
    event: 'begin',
    format: 1,
    time: '2026-01-02T03:04:05.000Z',
    dialect: 'embedshim',
    recordedBy: 'parent',
  };
  fc.assert(
    fc.property(nasty, nasty, fc.integer({ min: 0, max: 150 }), (message, kind, width) => {
      const lines: TranscriptLine[] = [
        begin,
        {
          event: 'data',
          time: begin.time,
          from: 'child',
          raw: '',
          messages: [{ type: 'error', message }],
          fds: [{ fd: 1, kind }],
        },
        { event: 'failure', time: begin.time, from: 'parent', code: 'X', message },
      ];
      const text = renderTranscript(lines, { width });
      const drawn = text.split('\n').slice(2);
      expect(drawn.every((line) => Array.from(line).length <= Math.max(50, width))).toBe(true);
      // oxlint-disable-next-line no-control-regex -- these must not be there
      expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
      expect(text).toContain('The recording breaks off here.');
    }),
  );
});

test.each([
  ['an empty text', '', 1],
  ['a line that is not JSON', '{', 1],
  ['a line of another shape', '{"event":"data"}', 1],
  [
    'a transcript without its beginning',
    '{"event":"end","time":"2026-01-02T03:04:05.003Z","from":"child"}',
    1,
  ],
  [
    'an unknown dialect',
    '{"event":"begin","format":1,"time":"2026-01-02T03:04:05.003Z","dialect":"runc-9","recordedBy":"parent"}',
    1,
  ],
])('parseTranscript refuses %s', (_what, text, line) => {
  expect(() => parseTranscript(text)).toThrow(
    expect.objectContaining({ code: 'ERR_SYNC_MALFORMED_TRANSCRIPT', line }) as Error,
  );
});

test('parseTranscript refuses a second beginning and bytes that are not base64', async () => {
  const [begin = '', data = ''] = await recordLaunch('parent');
  expect(() => parseTranscript(`${begin}\n\n${begin}`)).toThrow('line 3: it begins a second time');
  const raw = /"raw":"[^"]*"/;
  expect(() => parseTranscript(`${begin}\n${data.replace(raw, '"raw":"a"')}`)).toThrow('line 2');
});

test('replayTranscript refuses messages that the dialect does not have', async () => {
  const [begin = '', data = ''] = await recordLaunch('parent');
  const lines = parseTranscript(
    `${begin}\n${data.replace('"type":"procMountPlease"', '"type":"procMystery"')}`,
  );
  expect(() => replayTranscript(lines)).toThrow(code('ERR_SYNC_MALFORMED_TRANSCRIPT'));
  expect(() => replayTranscript([])).toThrow(code('ERR_SYNC_MALFORMED_TRANSCRIPT'));
});

test('fromBase64 gives back what toBase64 was given', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(fromBase64(toBase64(bytes))).toEqual(bytes);
    }),
  );
  expect(fromBase64(toBase64(new Uint8Array(20_000)))).toHaveLength(20_000);
  expect(['a', 'a===', 'ab=c', 'ä=', '_-=='].map(fromBase64)).toEqual(Array(5).fill(undefined));
});
