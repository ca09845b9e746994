import { OwnedFd, syscallError } from '@pilotlight/scm-rights';
import { loadLibc } from '@pilotlight/scm-rights/libc';
import {
  AF_NETLINK,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_ROUTE,
  refuseFailure,
  SOCK_RAW_CLOEXEC,
  SOL_NETLINK,
} from '../netlink/answer.ts';
import { decodeMessages, type NetlinkMessage, NLMSG_DONE } from '../netlink/message.ts';

const EINTR = 4;
const EAGAIN = 11;
const MSG_DONTWAIT = 0x40;
const RECEIVE_BYTES = 64 * 1024;

/** A netlink socket of this process's network namespace, for rtnetlink(7). Close it. */
export class RouteSocket implements Disposable {
  readonly #libc = loadLibc();
  readonly #send = this.#libc.func('send', 'long', ['int', 'void *', 'size_t', 'int']);
  readonly #recv = this.#libc.func('recv', 'long', ['int', 'void *', 'size_t', 'int']);
  readonly #fd: OwnedFd;
  #sequence = 0;

  /** @throws SyscallError */
  constructor() {
    const socket = this.#libc.func('socket', 'int', ['int', 'int', 'int']);
    const setsockopt = this.#libc.func('setsockopt', 'int', [
      'int',
      'int',
      'int',
      'void *',
      'uint',
    ]);
    const fd = socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) throw syscallError(this.#libc.errno(), 'socket', 'rtnetlink');
    this.#fd = new OwnedFd(fd, 'rtnetlink');
    // A kernel without them, before 4.12, only says less.
    const on = new Int32Array([1]);
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK]) {
      setsockopt(fd, SOL_NETLINK, option, on, on.byteLength);
    }
  }

  [Symbol.dispose](): void {
    this.#fd.close();
  }

  /**
   * Makes a change, or asks for one thing; returns the answer. The kernel does the work inside send(2),
   * for up to some 100 ms when an interface moves: so that happens on a pool thread.
   *
   * @param operand how an error calls it
   * @throws SyscallError with the kernel's remark as hint
   */
  async request(operand: string, make: (sequence: number) => Buffer): Promise<NetlinkMessage> {
    await this.#transmit(make(++this.#sequence));
    for (;;) {
      for (const message of this.#receive(operand)) {
        if (message.sequence === this.#sequence) return refuseFailure(message, operand);
      }
    }
  }

  /** Asks for a list. @throws SyscallError */
  async list(operand: string, make: (sequence: number) => Buffer): Promise<NetlinkMessage[]> {
    await this.#transmit(make(++this.#sequence));
    const listed: NetlinkMessage[] = [];
    for (;;) {
      for (const message of this.#receive(operand)) {
        if (message.sequence !== this.#sequence) continue;
        if (message.type === NLMSG_DONE) return listed;
        listed.push(refuseFailure(message, operand));
      }
    }
  }

  async #transmit(request: Buffer): Promise<void> {
    const result = await new Promise<number>((resolve, reject) => {
      this.#send.async(this.#fd.fd, request, request.length, 0, (error, sent) => {
        if (error instanceof Error) reject(error);
        else resolve(sent);
      });
    });
    // errno is the other thread's; what a request is refused for comes as its answer.
    if (result !== request.length) throw new Error(`rtnetlink took ${result} bytes of a request`);
  }

  /** The answer is there when send(2) has returned. */
  #receive(operand: string): NetlinkMessage[] {
    const bytes = Buffer.alloc(RECEIVE_BYTES);
    for (;;) {
      const length = this.#recv(this.#fd.fd, bytes, bytes.length, MSG_DONTWAIT);
      if (length >= 0) return decodeMessages(bytes.subarray(0, length));
      const errno = this.#libc.errno();
      if (errno === EAGAIN) throw new Error(`rtnetlink gave no answer to ${operand}`);
      if (errno !== EINTR) throw syscallError(errno, 'recv', operand);
    }
  }
}
