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
  HandshakeError,
  InvalidArgError,
  InvalidMessageError,
  isPeerInitError,
  isSyncError,
  JsonError,
  MalformedArgError,
  MalformedPacketError,
  PacketTooLargeError,
  PeerGoneError,
  PeerInitError,
  SyncError,
  UnexpectedTypeError,
  type HandshakeFault,
  type SyncErrorCode,
} from './errors.ts';
export { expectSync, peerInitError, type ExpectOptions } from './expect.ts';
export { createHandshake, type Handshake, type HandshakeOutcome } from './handshake/handshake.ts';
export type { HandshakeStep, HandshakeTable } from './handshake/handshake-table.ts';
export { setnsInit, setnsInitSilent } from './handshake/setns-init.ts';
export { standardInit } from './handshake/standard-init.ts';
export { maxJsonDepth, type JsonObject, type JsonValue } from './json/json-value.ts';
export { parseExactJson } from './json/parse.ts';
export { rawMembers, type RawMember } from './json/raw-members.ts';
export { stringifyExactJson } from './json/stringify.ts';
export { decodePacket, encodePacket, maxPacketBytes } from './packet.ts';
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
