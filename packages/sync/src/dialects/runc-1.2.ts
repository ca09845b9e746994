import { InvalidMessageError } from '../errors.ts';
import { setnsInit, setnsInitSilent } from '../handshake/setns-init.ts';
import { standardInit } from '../handshake/standard-init.ts';
import type { HandshakeTable } from '../handshake/handshake-table.ts';
import type { JsonValue } from '../json/json-value.ts';
import { stringifyExactJson } from '../json/stringify.ts';
import { decodePacket, encodePacket } from '../packet.ts';
import type { SyncMessage } from '../sync-message.ts';
import { syncTypes, type SyncType } from '../sync-type.ts';
import type { PacketDialect } from './dialect.ts';

/** runc 1.2.0-rc.1 alone: packets, and a child that joins is silent until it executes. */
export const runc120rc1: PacketDialect<SyncMessage, 'runc-1.2.0-rc.1', 'standard' | 'setns'> =
  packetDialect('runc-1.2.0-rc.1', 'D6a', 'runc 1.2.0-rc.1', setnsInitSilent);

/** runc 1.2.0-rc.2 to 1.5.1: packets. This is what our own child speaks. */
export const runc12: PacketDialect<SyncMessage, 'runc-1.2', 'standard' | 'setns'> = packetDialect(
  'runc-1.2',
  'D6b',
  'runc 1.2.0-rc.2 to 1.5.1',
  setnsInit,
);

function packetDialect<Name extends string>(
  name: Name,
  id: string,
  spokenBy: string,
  setns: HandshakeTable,
): PacketDialect<SyncMessage, Name, 'standard' | 'setns'> {
  return Object.freeze({
    framing: 'packet' as const,
    name,
    id,
    spokenBy,
    types: syncTypes,
    handshakes: { standard: standardInit, setns },
    encode: encodePacket,
    decode: decodePacket,
    message: packetMessage,
    failure: (text: string) => packetMessage('procError', text === '' ? {} : { message: text }),
  });
}

function packetMessage(type: SyncType, arg?: JsonValue): SyncMessage {
  const rule = syncTypes[type];
  if ((arg === undefined) !== (rule.arg === 'forbidden')) {
    throw new InvalidMessageError(
      `make ${type}: ${arg === undefined ? 'it lacks its argument' : 'it carries no argument'}`,
      'PROTOCOL.md lists which messages carry an argument.',
    );
  }
  // The file bit is the channel's to set, when the file is there.
  return arg === undefined ? { type, flags: 0 } : { type, flags: 0, arg: stringifyExactJson(arg) };
}
