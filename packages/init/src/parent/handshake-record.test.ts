import type { OwnedFd } from '@pilotlight/scm-rights';
import { PeerGoneError, type SyncChannel, type SyncMessage } from '@pilotlight/sync';
import { parseTranscript, type TranscriptLine } from '@pilotlight/sync/transcript';
import { describe, expect, it } from 'vitest';
import { HandshakeRecord } from './handshake-record.ts';

function channelThat(
  received: (SyncMessage | undefined)[],
  send: () => Promise<void> = async () => undefined,
): SyncChannel<OwnedFd> {
  return {
    send,
    async receive() {
      const message = received.shift();
      return message === undefined ? undefined : { message };
    },
    close: () => undefined,
  };
}

const linesOf = async (record: HandshakeRecord): Promise<readonly TranscriptLine[]> =>
  parseTranscript((await record.format()).join('\n'));

const hooks: SyncMessage = { type: 'procHooks', flags: 0 };

describe('HandshakeRecord', () => {
  it('HandshakeRecord gives what passed, in order, as a transcript', async () => {
    const record = new HandshakeRecord();
    const channel = record.tap(channelThat([hooks]));
    await channel.receive();
    await channel.send({ type: 'procHooksDone', flags: 0 });
    await channel.receive();
    expect(await linesOf(record)).toMatchObject([
      { event: 'begin', recordedBy: 'parent' },
      { event: 'data', from: 'child', messages: [hooks] },
      { event: 'data', from: 'parent', messages: [{ type: 'procHooksDone' }] },
      { event: 'end', from: 'child' },
    ]);
  });

  it('HandshakeRecord keeps a failure and throws it on', async () => {
    const record = new HandshakeRecord();
    const gone = new PeerGoneError('procHooks');
    const channel = record.tap(channelThat([], () => Promise.reject(gone)));
    await expect(channel.send(hooks)).rejects.toBe(gone);
    expect((await linesOf(record)).at(-1)).toMatchObject({ event: 'failure', code: gone.code });
  });

  it('HandshakeRecord is bounded by number and by length, and keeps the last', async () => {
    const record = new HandshakeRecord();
    const long: SyncMessage = {
      type: 'procError',
      flags: 0,
      arg: JSON.stringify({ message: 'x'.repeat(60_000) }),
    };
    const many = Array.from({ length: 200 }, () => long);
    const channel = record.tap(channelThat([...many, hooks]));
    for (let count = 0; count < 201; count++) await channel.receive();
    const lines = await record.format();
    expect(lines).toHaveLength(65);
    expect(lines.join('').length).toBeLessThan(20_000);
    expect((await linesOf(record)).at(-1)).toMatchObject({ messages: [hooks] });
  });
});
