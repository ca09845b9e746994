import { fdNumber, type NamedFile, OwnedFd, type SyncSocket } from '@pilotlight/scm-rights';
import type { SyncChannel, SyncMessage } from '@pilotlight/sync';

/** The parent's end of the handshake. A file that is sent under a name is what the child asked for. */
export interface HandshakeChannel extends SyncChannel<OwnedFd> {
  send(message: SyncMessage, file?: OwnedFd | NamedFile): Promise<void>;
}

/** Takes one line of a transcript, without its newline; it must not keep the caller waiting. */
export type TranscriptSink = (line: string) => void;

/**
 * The transcript of one attempt to launch. Its lines are held back until the attempt counts: a
 * child that crashed before it said anything is tried again, and that conversation never was.
 */
export class AttemptTranscript {
  readonly #sink: TranscriptSink;
  #held: string[] | undefined = [];

  constructor(sink: TranscriptSink) {
    this.#sink = sink;
  }

  /** The channel with everything that passes written down. */
  async tap(socket: SyncSocket): Promise<HandshakeChannel> {
    // Loaded only for a launch that wants it.
    const { tapChannel } = await import('@pilotlight/sync/transcript');
    // What is sent passes through as it is, so a named file is as good as a bare one.
    return tapChannel<SyncMessage, OwnedFd>(
      socket,
      (line) => {
        if (this.#held === undefined) this.#sink(line);
        else this.#held.push(line);
      },
      {
        dialect: 'runc-1.2',
        end: 'parent',
        describeFile,
      },
    );
  }

  /** The attempt counts. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const line of held) this.#sink(line);
  }
}

function describeFile(file: OwnedFd | NamedFile): { fd: number; kind: string } {
  return file instanceof OwnedFd
    ? { fd: file.fd, kind: file.role }
    : { fd: fdNumber(file.fd), kind: file.name };
}
