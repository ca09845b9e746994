export type { TapOptions, TranscriptSink } from './transcript/recorder.ts';
export { renderTranscript, type RenderOptions } from './transcript/render-transcript.ts';
export { replayByteStream } from './transcript/replay-byte-stream.ts';
export {
  replayTranscript,
  type ReplayChannel,
  type ReplayOptions,
} from './transcript/replay-transcript.ts';
export { tapByteStream } from './transcript/tap-byte-stream.ts';
export { tapChannel } from './transcript/tap-channel.ts';
export {
  parseTranscript,
  stringifyTranscriptLine,
  transcriptLineSchema,
  type TranscriptBegin,
  type TranscriptData,
  type TranscriptEnd,
  type TranscriptFailure,
  type TranscriptFd,
  type TranscriptLine,
  type TranscriptMessage,
} from './transcript/transcript-line.ts';
