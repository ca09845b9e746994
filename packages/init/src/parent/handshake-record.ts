import { encodePacket, isSyncError, type SyncMessage } from '@pilotlight/sync';
import type { TranscriptFd, TranscriptLine } from '@pilotlight/sync/transcript';
import type { HandshakeChannel } from './transcript.ts';

/** More than a handshake without questions has. */
const maxEvents = 64;
/** A report of a failure fits; see child/step-failure.ts. */
const maxArgLength = 16_384;

type Entry =
  | { at: number; from: 'parent' | 'child'; message: SyncMessage; file: boolean }
  | { at: number; from: 'parent' | 'child'; ended: true }
  | { at: number; from: 'parent' | 'child'; failure: unknown };

/**
 * What passed in one handshake, for the error of a launch that fails.
 *
 * A launch that comes through pays for a few small objects; only `format` makes text of them. It
 * holds messages of the sync socket alone: the config, with the program's arguments and
 * environment, goes over another one.
 */
export class HandshakeRecord {
  readonly #begun: number = Date.now();
  readonly #entries: Entry[] = [];

  /** The same channel, remembered. */
  tap(channel: HandshakeChannel): HandshakeChannel {
    return {
      send: async (message, file) => {
        this.#add({ at: Date.now(), from: 'parent', message, file: file !== undefined });
        try {
          await (file === undefined ? channel.send(message) : channel.send(message, file));
        } catch (failure) {
          this.#add({ at: Date.now(), from: 'parent', failure });
          throw failure;
        }
      },
      receive: async (options) => {
        try {
          const received = await channel.receive(options);
          const at = Date.now();
          if (received === undefined) this.#add({ at, from: 'child', ended: true });
          else {
            const { message, file } = received;
            this.#add({ at, from: 'child', message, file: file !== undefined });
          }
          return received;
        } catch (failure) {
          if (isSyncError(failure)) this.#add({ at: Date.now(), from: 'child', failure });
          throw failure;
        }
      },
      close: () => channel.close(),
    };
  }

  /**
   * The lines of a transcript as @pilotlight/sync/transcript reads them. Of a long conversation it
   * is the beginning line and the end; a message that is too long is there without its bytes.
   */
  async format(): Promise<string[]> {
    // Loaded only for a launch that failed.
    const { stringifyTranscriptLine } = await import('@pilotlight/sync/transcript');
    const begin: TranscriptLine = {
      event: 'begin',
      format: 1,
      time: new Date(this.#begun).toISOString(),
      dialect: 'runc-1.2',
      recordedBy: 'parent',
    };
    return [begin, ...this.#entries.map(lineOf)].map(stringifyTranscriptLine);
  }

  #add(entry: Entry): void {
    this.#entries.push(entry);
    if (this.#entries.length > maxEvents) this.#entries.shift();
  }
}

function lineOf(entry: Entry): TranscriptLine {
  const { at, from } = entry;
  const time = new Date(at).toISOString();
  if ('ended' in entry) return { event: 'end', time, from };
  if ('failure' in entry) {
    const { failure } = entry;
    return {
      event: 'failure',
      time,
      from,
      code: isSyncError(failure) ? failure.code : 'ERR_UNKNOWN',
      message: failure instanceof Error ? failure.message : String(failure),
    };
  }
  const { message, file } = entry;
  const fds: { fds?: readonly TranscriptFd[] } = file ? { fds: [{ fd: 0, kind: 'file' }] } : {};
  const { type, arg } = message;
  if ((arg?.length ?? 0) > maxArgLength) {
    const undecoded = `left out: an argument of ${arg?.length} characters`;
    return { event: 'data', time, from, raw: '', messages: [{ type }], ...fds, undecoded };
  }
  const raw = Buffer.from(encodePacket(message)).toString('base64');
  return { event: 'data', time, from, raw, messages: [{ ...message }], ...fds };
}
