import type { OwnedFd, SyncSocket } from '@pilotlight/scm-rights';
import type { SyncChannel } from '@pilotlight/sync';

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
  async tap(socket: SyncSocket): Promise<SyncChannel<OwnedFd>> {
    // Loaded only for a launch that wants it.
    const { tapChannel } = await import('@pilotlight/sync/transcript');
    return tapChannel<Parameters<SyncSocket['send']>[0], OwnedFd>(
      socket,
      (line) => {
        if (this.#held === undefined) this.#sink(line);
        else this.#held.push(line);
      },
      {
        dialect: 'runc-1.2',
        end: 'parent',
        describeFile: ({ fd, role }) => ({ fd, kind: role }),
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
