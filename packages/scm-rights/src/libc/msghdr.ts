import { encodeRightsInto } from '../cmsg/encode.ts';
import { cmsgLen, cmsgSpace } from '../cmsg/layout.ts';
import { SCM_MAX_FD } from './constants.ts';
import { SOCKADDR_UN_BYTES } from './getsockname.ts';
import { type Libc, loadLibc } from './library.ts';

/*
 * One block, made once and reused by every synchronous call, which cannot overlap:
 *
 *   0  struct msghdr (56): name 0, namelen 8, iov 16, iovlen 24, control 32, controllen 40, flags 48
 *  56  struct iovec (16): base 0, len 8
 *  72  control bytes, room for the most descriptors one message can have, and for one that the kernel adds
 *      then struct sockaddr_un (110)
 */
const IOVEC = 56;
const CONTROL = 72;
const CONTROL_BYTES = cmsgSpace(4 * SCM_MAX_FD) + cmsgSpace(4);
const NAME = CONTROL + CONTROL_BYTES;

interface Block {
  memory: Uint8Array;
  view: DataView;
  /** Who gave the addresses. */
  libc: Libc;
  /** Address of the control bytes. */
  control: bigint;
  /** Address of the name. */
  name: bigint;
}

let block: Block | undefined;

function useBlock(bytes: Uint8Array): Block {
  const libc = loadLibc();
  if (block?.libc !== libc) {
    const memory = Buffer.alloc(NAME + SOCKADDR_UN_BYTES);
    const view = new DataView(memory.buffer, memory.byteOffset, memory.length);
    const address = libc.address(memory);
    view.setBigUint64(16, address + BigInt(IOVEC), true);
    view.setBigUint64(24, 1n, true);
    const control = address + BigInt(CONTROL);
    block = { memory, view, libc, control, name: address + BigInt(NAME) };
  }
  const { view } = block;
  // The address is good while the caller's frame holds `bytes`, which is as long as the call takes.
  view.setBigUint64(IOVEC, bytes.length === 0 ? 0n : libc.address(bytes), true);
  view.setBigUint64(IOVEC + 8, BigInt(bytes.length), true);
  view.setInt32(48, 0, true);
  return block;
}

/** The header for sending `bytes` and `fds`, to the address `name` if given; valid until the next use. */
export function msghdrToSend(
  bytes: Uint8Array,
  fds: readonly number[],
  name?: Uint8Array,
): Uint8Array {
  const { memory, view, control, name: nameAddress } = useBlock(bytes);
  if (name !== undefined) memory.set(name, NAME);
  view.setBigUint64(0, name === undefined ? 0n : nameAddress, true);
  view.setUint32(8, name?.length ?? 0, true);
  const length = encodeRightsInto(memory.subarray(CONTROL), fds);
  view.setBigUint64(32, length === 0 ? 0n : control, true);
  view.setBigUint64(40, BigInt(length), true);
  return memory;
}

/** The header for receiving into `bytes` with room for exactly `maxFds` descriptors; valid until the next use. */
export function msghdrToReceive(bytes: Uint8Array, maxFds: number, wantsName = false): Uint8Array {
  const { memory, view, control, name } = useBlock(bytes);
  view.setBigUint64(0, wantsName ? name : 0n, true);
  view.setUint32(8, wantsName ? SOCKADDR_UN_BYTES : 0, true);
  // Without the padding: in a padded buffer an odd count would leave room for one more.
  const length = maxFds === 0 ? 0 : cmsgLen(4 * maxFds);
  memory.fill(0, CONTROL, CONTROL + length);
  view.setBigUint64(32, length === 0 ? 0n : control, true);
  view.setBigUint64(40, BigInt(length), true);
  return memory;
}

/** What the kernel left in the header of the last receive. */
export function receivedMsghdr(): { control: Uint8Array; flags: number; name: Uint8Array } {
  if (block === undefined) {
    return { control: new Uint8Array(0), flags: 0, name: new Uint8Array(0) };
  }
  const length = block.view.getUint32(40, true);
  const nameLength = Math.min(block.view.getUint32(8, true), SOCKADDR_UN_BYTES);
  return {
    name: block.memory.subarray(NAME, NAME + nameLength),
    control: block.memory.subarray(CONTROL, CONTROL + length),
    flags: block.view.getInt32(48, true),
  };
}
