export {
  decodeInitError,
  encodeInitError,
  initErrorSchema,
  type InitErrorArg,
} from './args/init-error.ts';
export {
  decodeMountFd,
  encodeMountFd,
  mountFdSchema,
  type MountFdArg,
  type MountFdType,
} from './args/mount-fd.ts';
export {
  decodeMountPlease,
  encodeMountPlease,
  mountPleaseSchema,
  type MountIdMap,
  type MountIdMapping,
  type MountLayout,
  type MountPleaseArg,
  type MountRecAttr,
} from './args/mount-please.ts';
export {
  decodeSeccompFd,
  encodeSeccompFd,
  seccompFdSchema,
  type SeccompFdArg,
} from './args/seccomp-fd.ts';
export {
  ChannelClosedError,
  EndOfSyncError,
  HandshakeAbortedError,
  HandshakeError,
  InvalidArgError,
  InvalidBootstrapError,
  InvalidConfigError,
  InvalidMessageError,
  isPeerInitError,
  isSyncError,
  JsonError,
  MalformedArgError,
  MalformedBootstrapError,
  MalformedConfigError,
  MalformedObjectError,
  MalformedPacketError,
  MalformedTranscriptError,
  NoAnswerError,
  ObjectTooLargeError,
  PacketTooLargeError,
  PeerGoneError,
  PeerInitError,
  ReplayError,
  SyncError,
  TruncatedObjectError,
  UnexpectedFileError,
  UnexpectedTypeError,
  type HandshakeFault,
  type SyncErrorCode,
} from './errors.ts';
export { expectSync, peerInitError, reportedFailure, type ExpectOptions } from './expect.ts';
export { converse, type Conversation, type ConversationOptions } from './handshake/conversation.ts';
export {
  driveHandshake,
  type Answer,
  type Answerer,
  type DriveOptions,
} from './handshake/drive-handshake.ts';
export { createHandshake, type Handshake, type HandshakeOutcome } from './handshake/handshake.ts';
export type { HandshakeStep, HandshakeTable } from './handshake/handshake-table.ts';
export { setnsInit, setnsInitSilent } from './handshake/setns-init.ts';
export { standardInit } from './handshake/standard-init.ts';
export { maxJsonDepth, type JsonObject, type JsonValue } from './json/json-value.ts';
export { parseExactJson } from './json/parse.ts';
export { rawMembers, type RawMember } from './json/raw-members.ts';
export { stringifyExactJson } from './json/stringify.ts';
export type { AnyMessage, MessageChannel, Received } from './message-channel.ts';
export { decodePacket, encodePacket, maxPacketBytes } from './packet.ts';
export { allSyncs, readAllSyncs } from './read-all-syncs.ts';
export type { ReceivedSync, SyncChannel } from './sync-channel.ts';
export { agreeFileFlag, hasFileFlag, maxFlags, syncFlags } from './sync-flags.ts';
export { syncMessageSchema, type SyncMessage } from './sync-message.ts';
export {
  isSyncType,
  syncTypeNames,
  syncTypes,
  type SyncEnd,
  type SyncPresence,
  type SyncType,
  type SyncTypeRule,
} from './sync-type.ts';
export { writeSync, type WriteSyncOptions } from './write-sync.ts';
