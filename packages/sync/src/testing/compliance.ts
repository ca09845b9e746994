import { expectSync } from '../expect.ts';
import { maxPacketBytes } from '../packet.ts';
import type { ReceivedSync, SyncChannel } from '../sync-channel.ts';
import { hasFileFlag, syncFlags } from '../sync-flags.ts';
import type { SyncMessage } from '../sync-message.ts';

/** Two connected ends of the transport under test, and what the suite must know about its files. */
export type CompliancePair<File> = {
  readonly parent: SyncChannel<File>;
  readonly child: SyncChannel<File>;
  /** A fresh file of this process; the suite closes it. */
  makeFile(): File | Promise<File>;
  /** Whether both handles lead to one and the same open file. */
  sameFile(one: File, other: File): boolean | Promise<boolean>;
  closeFile(file: File): void | Promise<void>;
  /**
   * Puts bytes on the wire from the child's end to the parent's without any check and, if there
   * is a file, a file packet behind them. The file is borrowed.
   */
  sendRaw(bytes: Uint8Array, file?: File): void | Promise<void>;
  /** Closes both ends and whatever else the pair holds. Called once, after each test. */
  dispose(): void | Promise<void>;
};

/** A transport, as the suite sees it. */
export type ComplianceSubject<File> = {
  /** The name that the tests are listed under. */
  readonly name: string;
  makePair(): CompliancePair<File> | Promise<CompliancePair<File>>;
  /**
   * How many files this process holds open, those of the channels included. Compared before and
   * after every test; a first pair is made and used before anything is counted, so that what a
   * transport opens once for the whole process does not count as a leak.
   */
  openFiles(): number | Promise<number>;
  /** The longest packet that must pass; `maxPacketBytes` when absent. */
  readonly maxPacketBytes?: number;
};

/** The three functions of a test runner that the suite needs; those of vitest fit as they are. */
export type ComplianceRunner = {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: (name: string, body: () => Promise<void>) => unknown;
  readonly expect: (actual: unknown) => { toEqual(expected: unknown): unknown };
};

/**
 * Registers the tests that every SyncChannel must pass.
 *
 *     import { describe, expect, it } from 'vitest';
 *     import { syncChannelCompliance } from '@pilotlight/sync/testing';
 *
 *     syncChannelCompliance({ name: 'MyChannel', makePair, openFiles }, { describe, it, expect });
 */
export function syncChannelCompliance<File>(
  subject: ComplianceSubject<File>,
  { describe, it, expect }: ComplianceRunner,
): void {
  const largest = subject.maxPacketBytes ?? maxPacketBytes;

  function check(sentence: string, body: (pair: CompliancePair<File>) => Promise<void>): void {
    it(`${subject.name} ${sentence}`, async () => {
      await warmUp(subject);
      const before = await subject.openFiles();
      const pair = await subject.makePair();
      try {
        await body(pair);
      } finally {
        await pair.dispose();
      }
      expect(await subject.openFiles()).toEqual(before);
    });
  }

  describe(`SyncChannel compliance of ${subject.name}`, () => {
    check('keeps the order of messages in both directions', async ({ parent, child }) => {
      await child.send(hooks);
      await child.send(ready);
      await child.send(failure('third'));
      await parent.send(hooksDone);
      await parent.send(run);
      expect(await messages(parent, 3)).toEqual([hooks, ready, failure('third')]);
      expect(await messages(child, 2)).toEqual([hooksDone, run]);
    });

    check('serves waiting receives in the order they were made', async ({ parent, child }) => {
      const first = parent.receive();
      const second = parent.receive();
      await child.send(hooks);
      await child.send(ready);
      expect([await first, await second]).toEqual([{ message: hooks }, { message: ready }]);
    });

    check('hands over the argument as the text that was sent', async ({ parent, child }) => {
      const arg = '{ "message":"\\u003c\\u00e4 ä 🚦",\t"big":18446744073709551615,"x":[1.50, 1e2]}';
      await child.send({ type: 'procError', flags: 0, arg });
      expect(await parent.receive()).toEqual({ message: { type: 'procError', flags: 0, arg } });
    });

    check('passes a file that the receiver owns', async (pair) => {
      const file = await pair.makeFile();
      await pair.parent.send(mountFd, file);
      const received = await receiveFile(pair.child);
      expect(await pair.sameFile(file, received)).toEqual(true);
      await pair.closeFile(received);
      // The sender's own handle outlives the receiver's: it was borrowed.
      await pair.parent.send(mountFd, file);
      await pair.closeFile(file);
      const again = await receiveFile(pair.child);
      const copy = await pair.makeFile();
      expect(await pair.sameFile(again, copy)).toEqual(false);
      await pair.closeFile(copy);
      await pair.closeFile(again);
    });

    check('passes messages around a file in order', async (pair) => {
      const file = await pair.makeFile();
      await pair.parent.send(hooksDone);
      await pair.parent.send(mountFd, file);
      await pair.parent.send(run);
      expect(await messages(pair.child, 1)).toEqual([hooksDone]);
      await pair.closeFile(await receiveFile(pair.child));
      expect(await messages(pair.child, 1)).toEqual([run]);
      await pair.closeFile(file);
    });

    check('makes the file bit agree with the file', async (pair) => {
      const file = await pair.makeFile();
      await pair.parent.send({ ...mountFd, flags: 0 }, file);
      const received = await pair.child.receive();
      expect(hasFileFlag(received?.message.flags ?? 0)).toEqual(true);
      expect(received?.file === undefined).toEqual(false);
      if (received?.file !== undefined) await pair.closeFile(received.file);
      await pair.parent.send({ ...run, flags: syncFlags.file });
      expect(await pair.child.receive()).toEqual({ message: run });
      await pair.closeFile(file);
    });

    check('refuses what is no message, sends nothing of it and keeps the file', async (pair) => {
      const file = await pair.makeFile();
      expect(await codeOf(pair.parent.send(run, file))).toEqual('ERR_SYNC_INVALID_MESSAGE');
      expect(await codeOf(pair.parent.send(mountFd))).toEqual('ERR_SYNC_INVALID_MESSAGE');
      expect(await codeOf(pair.parent.send({ ...mountFd, arg: '{' }, file))).toEqual(
        'ERR_SYNC_INVALID_MESSAGE',
      );
      await pair.parent.send(mountFd, file);
      const received = await receiveFile(pair.child);
      expect(await pair.sameFile(file, received)).toEqual(true);
      await pair.closeFile(received);
      await pair.closeFile(file);
    });

    check('gives undefined at end of file, after all that was sent', async ({ parent, child }) => {
      await child.send(hooks);
      await child.send(failure('last words'));
      child.close();
      expect(await messages(parent, 2)).toEqual([hooks, failure('last words')]);
      expect(await parent.receive()).toEqual(undefined);
      expect(await parent.receive()).toEqual(undefined);
    });

    check('ends a waiting receive when the peer closes', async ({ parent, child }) => {
      const waiting = parent.receive();
      child.close();
      expect(await waiting).toEqual(undefined);
    });

    check('delivers last words of a peer that left messages unread', async ({ parent, child }) => {
      await parent.send(run);
      await child.send(failure('last words'));
      child.close();
      expect(await codeOf(parent.send(run))).toEqual('ERR_SYNC_PEER_GONE');
      expect(await messages(parent, 1)).toEqual([failure('last words')]);
      expect(await parent.receive()).toEqual(undefined);
    });

    check('fails a send with PeerGoneError after the peer closed', async (pair) => {
      const file = await pair.makeFile();
      pair.child.close();
      expect(await codeOf(pair.parent.send(run))).toEqual('ERR_SYNC_PEER_GONE');
      expect(await codeOf(pair.parent.send(mountFd, file))).toEqual('ERR_SYNC_PEER_GONE');
      await pair.closeFile(file);
    });

    check('aborts a receive with the reason of its signal', async ({ parent, child }) => {
      const controller = new AbortController();
      const reason = new Error('no patience');
      const waiting = rejection(parent.receive({ signal: controller.signal }));
      controller.abort(reason);
      expect((await waiting) === reason).toEqual(true);
      expect((await rejection(parent.receive({ signal: controller.signal }))) === reason).toEqual(
        true,
      );
      await child.send(hooks);
      expect(await parent.receive()).toEqual({ message: hooks });
    });

    check('aborts one of several receives alone', async ({ parent, child }) => {
      const controller = new AbortController();
      const first = rejection(parent.receive({ signal: controller.signal }));
      const second = parent.receive();
      controller.abort();
      await first;
      await child.send(hooks);
      expect(await second).toEqual({ message: hooks });
    });

    check('closes twice without effect and refuses later use', async ({ parent }) => {
      parent.close();
      parent.close();
      expect(await codeOf(parent.send(run))).toEqual('ERR_SYNC_CLOSED');
      expect(await codeOf(parent.receive())).toEqual('ERR_SYNC_CLOSED');
    });

    check('refuses a waiting receive when this end closes', async ({ parent }) => {
      const waiting = codeOf(parent.receive());
      parent.close();
      expect(await waiting).toEqual('ERR_SYNC_CLOSED');
    });

    check('closes files that were never received', async (pair) => {
      const file = await pair.makeFile();
      await pair.parent.send(mountFd, file);
      await pair.closeFile(file);
      pair.child.close();
    });

    check('passes a packet of the largest size and no larger one', async ({ parent, child }) => {
      const frame = '{"type":"procError","flags":0,"arg":{"message":""}}'.length;
      const whole = failure('x'.repeat(largest - frame));
      const waiting = parent.receive();
      await child.send(whole);
      expect((await waiting)?.message.arg === whole.arg).toEqual(true);
      const beyond = failure('x'.repeat(maxPacketBytes - frame + 1));
      expect(await codeOf(child.send(beyond))).toEqual('ERR_SYNC_TOO_LARGE');
      await child.send(ready);
      expect(await parent.receive()).toEqual({ message: ready });
    });

    check('lets expectSync close the file of a stray message', async (pair) => {
      const file = await pair.makeFile();
      await pair.parent.send(mountFd, file);
      await pair.closeFile(file);
      const stray = expectSync(pair.child, 'procRun', {
        disposeFile: (unexpected) => pair.closeFile(unexpected),
      });
      expect(await codeOf(stray)).toEqual('ERR_SYNC_UNEXPECTED_TYPE');
    });

    check('closes the file that follows a malformed packet', async (pair) => {
      const file = await pair.makeFile();
      const bytes = new TextEncoder().encode('{"type":"procReady","flags":1}');
      await pair.sendRaw(bytes, file);
      await pair.closeFile(file);
      expect(await codeOf(pair.parent.receive())).toEqual('ERR_SYNC_MALFORMED_PACKET');
      await pair.child.send(ready);
      expect(await pair.parent.receive()).toEqual({ message: ready });
    });

    check('refuses bytes that are no message and goes on with the next', async (pair) => {
      await pair.sendRaw(new Uint8Array([0xff, 0xfe]));
      await pair.child.send(ready);
      expect(await codeOf(pair.parent.receive())).toEqual('ERR_SYNC_MALFORMED_PACKET');
      expect(await pair.parent.receive()).toEqual({ message: ready });
    });
  });
}

const hooks: SyncMessage = { type: 'procHooks', flags: 0 };
const hooksDone: SyncMessage = { type: 'procHooksDone', flags: 0 };
const ready: SyncMessage = { type: 'procReady', flags: 0 };
const run: SyncMessage = { type: 'procRun', flags: 0 };
const mountFd: SyncMessage = {
  type: 'procMountFd',
  flags: syncFlags.file,
  arg: '{"type":"open_tree"}',
};

function failure(text: string): SyncMessage {
  return { type: 'procError', flags: 0, arg: `{"message":"${text}"}` };
}

const warm = new WeakSet<object>();

async function warmUp<File>(subject: ComplianceSubject<File>): Promise<void> {
  if (warm.has(subject)) return;
  warm.add(subject);
  const pair = await subject.makePair();
  try {
    const waiting = pair.parent.receive();
    await pair.child.send(ready);
    await waiting;
  } finally {
    await pair.dispose();
  }
}

async function messages<File>(channel: SyncChannel<File>, count: number): Promise<unknown[]> {
  const list: unknown[] = [];
  while (list.length < count) list.push((await channel.receive())?.message);
  return list;
}

async function receiveFile<File>(channel: SyncChannel<File>): Promise<File> {
  const received: ReceivedSync<File> | undefined = await channel.receive();
  if (received?.file === undefined) throw new TypeError('a file was sent, but none was received');
  return received.file;
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new TypeError('the call succeeded, but had to fail');
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  const error = await rejection(promise);
  return error instanceof Error && 'code' in error ? error.code : error;
}
