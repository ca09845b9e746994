import { syscallError } from '@pilotlight/scm-rights';
import { decodeAck, type NetlinkMessage, NLMSG_ERROR } from './message.ts';

// socket(2) and setsockopt(2) for netlink(7)
export const AF_NETLINK = 16;
export const SOCK_RAW_CLOEXEC: number = 3 | 0o200_0000;
export const NETLINK_ROUTE = 0;
export const SOL_NETLINK = 270;
export const NETLINK_CAP_ACK = 10;
export const NETLINK_EXT_ACK = 11;

/** @throws SyscallError for an answer that says what went wrong */
export function refuseFailure(message: NetlinkMessage, operand: string): NetlinkMessage {
  if (message.type !== NLMSG_ERROR) return message;
  const { errno, text } = decodeAck(message);
  if (errno === 0) return message;
  throw syscallError(errno, 'send', {
    path: operand,
    hint: text === undefined ? 'See rtnetlink(7).' : `The kernel says: ${text}`,
  });
}
