export type {
  DialectCommon,
  DialectTypeRule,
  PacketDialect,
  StreamDialect,
} from './dialects/dialect.ts';
export { dialectOfRunc } from './dialects/dialect-of-runc.ts';
export { dialects, isDialectName, type DialectName, type Dialects } from './dialects/dialects.ts';
export {
  embedshim,
  procSyncSchema,
  type ProcSyncMessage,
  type ProcSyncType,
} from './dialects/embedshim.ts';
export {
  decodeGenericError,
  encodeGenericError,
  genericErrorCodes,
  genericErrorOf,
  genericErrorSchema,
  systemErrorCode,
  type GenericError,
  type GenericErrorFrame,
} from './dialects/generic-error.ts';
export { runc001 } from './dialects/runc-0.0.1.ts';
export { runc12, runc120rc1 } from './dialects/runc-1.2.ts';
export { runc10, runc110, runc1113, runcConsole } from './dialects/runc-named.ts';
export { runc007, runc009, runc20161201 } from './dialects/runc-numbered.ts';
export type { StreamMessage, StreamType } from './dialects/stream-message.ts';
export {
  byteStreamOf,
  type ByteStream,
  type ByteStreamParts,
  type ReceivedBytes,
} from './stream/byte-stream.ts';
export {
  defaultMaxObjectBytes,
  JsonStreamDecoder,
  type JsonStreamOptions,
} from './stream/json-stream-decoder.ts';
export {
  createStreamChannel,
  type NamedFile,
  type StreamChannel,
  type StreamChannelOptions,
} from './stream/stream-channel.ts';
