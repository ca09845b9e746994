// Messages of rtnetlink(7) on network interfaces and their addresses.
import {
  decodeAttributes,
  encodeMessage,
  type NetlinkAttribute,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  textValue,
  uint32Value,
} from './message.ts';

const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;

// linux/if_link.h, linux/if_addr.h, net/if.h
const IFLA_IFNAME = 3;
const IFLA_NET_NS_FD = 28;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;
const IFF_UP = 1;
const IFA_F_NODAD = 0x02;
const IFA_F_PERMANENT = 0x80;
const IFA_F_NOPREFIXROUTE = 0x200;
const RT_SCOPE_UNIVERSE = 0;

/** An address of an interface, as far as it is worth keeping; addresses are hexadecimal. */
export type InterfaceAddress = {
  /** AF_INET or AF_INET6. */
  family: number;
  prefixLength: number;
  local: string | undefined;
  /** Of the peer on a point-to-point interface, otherwise the same as `local`. */
  address: string | undefined;
  broadcast: string | undefined;
  flags: number;
};

function linkHeader(index: number, flags = 0): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  header.writeUInt32LE(flags, 8);
  header.writeUInt32LE(flags, 12);
  return header;
}

const change = { type: RTM_NEWLINK, flags: NLM_F_REQUEST | NLM_F_ACK };

/** Asks for one interface by its name. */
export const getLink = (sequence: number, name: string): Buffer =>
  encodeMessage({ type: RTM_GETLINK, flags: NLM_F_REQUEST, sequence }, linkHeader(0), [
    [IFLA_IFNAME, textValue(name)],
  ]);

/** The index of the interface that a message is about. */
export const linkIndex = ({ payload }: NetlinkMessage): number => payload.readInt32LE(4);

/** Moves an interface into the network namespace that `namespaceFd` is of, and names it there. */
export const moveLink = (
  sequence: number,
  index: number,
  namespaceFd: number,
  name: string,
): Buffer =>
  encodeMessage({ ...change, sequence }, linkHeader(index), [
    [IFLA_NET_NS_FD, uint32Value(namespaceFd)],
    [IFLA_IFNAME, textValue(name)],
  ]);

/** Names an interface; `%d` in the name becomes the next free number. */
export const renameLink = (sequence: number, index: number, name: string): Buffer =>
  encodeMessage({ ...change, sequence }, linkHeader(index), [[IFLA_IFNAME, textValue(name)]]);

export const setLinkUp = (sequence: number, index: number): Buffer =>
  encodeMessage({ ...change, sequence }, linkHeader(index, IFF_UP));

/** Asks for the addresses of every interface. */
export const getAddresses = (sequence: number): Buffer =>
  encodeMessage(
    { type: RTM_GETADDR, flags: NLM_F_REQUEST | NLM_F_DUMP, sequence },
    Buffer.alloc(8),
  );

export function addAddress(sequence: number, index: number, added: InterfaceAddress): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(added.family, 0);
  header.writeUInt8(added.prefixLength, 1);
  header.writeUInt32LE(index, 4);
  const attributes: NetlinkAttribute[] = [];
  const add = (type: number, hex: string | undefined): void => {
    if (hex !== undefined) attributes.push([type, Buffer.from(hex, 'hex')]);
  };
  add(IFA_LOCAL, added.local);
  add(IFA_ADDRESS, added.address);
  add(IFA_BROADCAST, added.broadcast);
  attributes.push([IFA_FLAGS, uint32Value(added.flags)]);
  const flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
  return encodeMessage({ type: RTM_NEWADDR, flags, sequence }, header, attributes);
}

/**
 * The addresses of one interface that outlive a move: permanent ones of global scope. Others were
 * given for a time, or belong to the link and are made anew.
 */
export function keptAddresses(
  messages: readonly NetlinkMessage[],
  index: number,
): InterfaceAddress[] {
  return messages.flatMap(({ type, payload }) => {
    if (type !== RTM_NEWADDR || payload.length < 8 || payload.readUInt32LE(4) !== index) return [];
    const attributes = decodeAttributes(payload.subarray(8));
    const flags = attributes.get(IFA_FLAGS)?.readUInt32LE(0) ?? payload.readUInt8(2);
    if ((flags & IFA_F_PERMANENT) === 0 || payload.readUInt8(3) !== RT_SCOPE_UNIVERSE) return [];
    const hex = (attribute: number): string | undefined =>
      attributes.get(attribute)?.toString('hex');
    return [
      {
        family: payload.readUInt8(0),
        prefixLength: payload.readUInt8(1),
        local: hex(IFA_LOCAL),
        address: hex(IFA_ADDRESS),
        broadcast: hex(IFA_BROADCAST),
        flags: flags & (IFA_F_NODAD | IFA_F_NOPREFIXROUTE),
      },
    ];
  });
}
