import { expect, test } from 'vitest';
import { isSyncError } from '../errors.ts';
import type { ReceivedSync, SyncChannel } from '../sync-channel.ts';
import { syncChannelCompliance, type CompliancePair } from './compliance.ts';
import { memoryChannelPair } from './memory-channel.ts';
import { MemoryFileTable, type MemoryFile } from './memory-file.ts';

type Pair = CompliancePair<MemoryFile>;
type Fault = (pair: Pair, files: MemoryFileTable) => Pair;

/** Runs the suite over a channel with a fault and gives the sentences of the tests that failed. */
async function failures(fault: Fault): Promise<string[]> {
  const files = new MemoryFileTable();
  const tests: { name: string; body: () => Promise<void> }[] = [];
  syncChannelCompliance(
    {
      name: 'faulty',
      openFiles: () => files.openCount,
      makePair: () => fault(soundPair(files), files),
    },
    {
      describe: (_name, body) => body(),
      it: (name, body) => tests.push({ name: name.replace('faulty ', ''), body }),
      expect,
    },
  );
  const failed: string[] = [];
  for (const { name, body } of tests) {
    try {
      await body();
    } catch {
      failed.push(name);
    }
  }
  return failed;
}

function soundPair(files: MemoryFileTable): Pair {
  const { parent, child, sendRaw } = memoryChannelPair(files);
  return {
    parent,
    child,
    sendRaw,
    makeFile: () => files.open(),
    sameFile: (one, other) => one.description === other.description,
    closeFile: (file) => file[Symbol.dispose](),
    dispose: () => {
      parent.close();
      child.close();
    },
  };
}

type Channel = SyncChannel<MemoryFile>;

/** The same channel with some of its methods replaced. */
function altered(channel: Channel, changes: Partial<Channel>): Channel {
  return {
    send: (message, file) => channel.send(message, file),
    receive: (options) => channel.receive(options),
    close: () => channel.close(),
    ...changes,
  };
}

function map(
  channel: Channel,
  change: (received: ReceivedSync<MemoryFile>) => ReceivedSync<MemoryFile>,
): Channel {
  return altered(channel, {
    receive: async (options) => {
      const received = await channel.receive(options);
      return received === undefined ? undefined : change(received);
    },
  });
}

test('syncChannelCompliance finds nothing wrong with a sound channel', async () => {
  expect(await failures((pair) => pair)).toEqual([]);
});

const faults: readonly [what: string, sentence: string, fault: Fault][] = [
  [
    'rewrites the argument',
    'hands over the argument as the text that was sent',
    (pair) => ({
      ...pair,
      parent: map(pair.parent, ({ message, ...rest }) => {
        if (message.arg === undefined) return { message, ...rest };
        return { ...rest, message: { ...message, arg: JSON.stringify(JSON.parse(message.arg)) } };
      }),
    }),
  ],
  [
    'takes the file away from its sender',
    'passes a file that the receiver owns',
    (pair) => ({
      ...pair,
      parent: altered(pair.parent, {
        send: async (message, file) => {
          await pair.parent.send(message, file);
          file?.[Symbol.dispose]();
        },
      }),
    }),
  ],
  [
    'hands out another file',
    'passes a file that the receiver owns',
    (pair, files) => ({
      ...pair,
      child: map(pair.child, ({ message, file }) => {
        if (file === undefined) return { message };
        file[Symbol.dispose]();
        return { message, file: files.open() };
      }),
    }),
  ],
  [
    'lets the file bit disagree with the file',
    'makes the file bit agree with the file',
    (pair) => ({
      ...pair,
      child: map(pair.child, (received) => ({
        ...received,
        message: { ...received.message, flags: 0 },
      })),
    }),
  ],
  [
    'leaks a handle for each file',
    'passes a file that the receiver owns',
    (pair) => ({
      ...pair,
      child: map(pair.child, (received) => (received.file?.duplicate(), received)),
    }),
  ],
  [
    'lets one message overtake another',
    'keeps the order of messages in both directions',
    (pair) => ({
      ...pair,
      child: altered(pair.child, {
        send: async (message, file) => {
          if (message.type !== 'procHooks') return pair.child.send(message, file);
          setImmediate(() => {
            pair.child.send(message, file).catch(() => undefined);
          });
        },
      }),
    }),
  ],
  [
    'throws at end of file',
    'gives undefined at end of file, after all that was sent',
    (pair) => ({
      ...pair,
      parent: altered(pair.parent, {
        receive: async (options) => {
          const received = await pair.parent.receive(options);
          if (received === undefined) throw new Error('ECONNRESET');
          return received;
        },
      }),
    }),
  ],
  [
    'replaces the reason of an abort',
    'aborts a receive with the reason of its signal',
    (pair) => ({
      ...pair,
      parent: altered(pair.parent, {
        receive: async (options) => {
          try {
            return await pair.parent.receive(options);
          } catch (error) {
            throw isSyncError(error) ? error : new Error('aborted', { cause: error });
          }
        },
      }),
    }),
  ],
  [
    'loses its error codes',
    'fails a send with PeerGoneError after the peer closed',
    (pair) => ({
      ...pair,
      parent: altered(pair.parent, {
        send: async (message, file) => {
          try {
            await pair.parent.send(message, file);
          } catch (cause) {
            throw new Error('EPIPE', { cause });
          }
        },
      }),
    }),
  ],
  [
    'cannot be closed twice',
    'closes twice without effect and refuses later use',
    (pair) => {
      let closed = false;
      return {
        ...pair,
        parent: altered(pair.parent, {
          close: () => {
            if (closed) throw new Error('EBADF');
            closed = true;
            pair.parent.close();
          },
        }),
      };
    },
  ],
  [
    'forgets files in flight',
    'closes files that were never received',
    (pair) => ({
      ...pair,
      child: altered(pair.child, {
        close: () => {
          pair.child.receive().catch(() => undefined);
          pair.child.close();
        },
      }),
    }),
  ],
];

test.each(faults)(
  'syncChannelCompliance catches a channel that %s',
  async (_what, sentence, fault) => {
    expect(await failures(fault)).toContain(sentence);
  },
);
