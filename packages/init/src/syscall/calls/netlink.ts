import { decodeMessages } from '../../netlink/message.ts';
import type { Kernel } from '../kernel.ts';
import {
  AF_NETLINK,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_ROUTE,
  refuseFailure,
  SOCK_RAW_CLOEXEC,
  SOL_NETLINK,
} from '../../netlink/answer.ts';

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0o200_0000;
const SIOCGIFINDEX = 0x8933;

/** Network interfaces of this process's network namespace. */
export interface NetlinkCalls {
  /** if_nametoindex(3) */
  interfaceIndex(name: string): number;
  /** Sends one request of rtnetlink(7) and takes its answer; `operand` is how an error calls it. */
  routeRequest(request: Uint8Array, operand: string): void;
}

export function netlinkCalls({ libc, check, chunk }: Kernel): NetlinkCalls {
  const socket = libc.func('socket', 'int', ['int', 'int', 'int']);
  const setsockopt = libc.func('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint']);
  const send = libc.func('send', 'long', ['int', 'void *', 'size_t', 'int']);
  const recv = libc.func('recv', 'long', ['int', 'void *', 'size_t', 'int']);
  const ioctl = libc.func('ioctl', 'int', ['int', 'ulong', 'void *']);
  const close = libc.func('close', 'int', ['int']);

  const ifreq = Buffer.alloc(40);
  const on = new Int32Array([1]);

  return {
    interfaceIndex(name) {
      const fd = check('socket', name, socket, AF_INET, SOCK_DGRAM_CLOEXEC, 0);
      ifreq.fill(0);
      ifreq.write(name, 0, 15, 'utf8');
      check('ioctl', name, ioctl, fd, SIOCGIFINDEX, ifreq);
      check('close', fd, close, fd);
      return ifreq.readInt32LE(16);
    },
    routeRequest(request, operand) {
      const fd = check('socket', operand, socket, AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
      for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK]) {
        setsockopt(fd, SOL_NETLINK, option, on, on.byteLength);
      }
      check('send', operand, send, fd, request, request.length, 0);
      const length = check('recv', operand, recv, fd, chunk, chunk.length, 0);
      check('close', fd, close, fd);
      const [answer] = decodeMessages(chunk.subarray(0, length));
      if (answer === undefined) throw new Error(`rtnetlink gave no answer to ${operand}`);
      refuseFailure(answer, operand);
    },
  };
}
