import { SCM_PIDFD, SCM_RIGHTS, SOL_SOCKET } from '../libc/constants.ts';
import { CMSG_HEADER_BYTES, cmsgAlign } from './layout.ts';

/** One control message: level and type as in cmsg(3), data without padding (a view, not a copy). */
export interface ControlMessage {
  level: number;
  type: number;
  data: Uint8Array;
}

/**
 * All control messages in `control`, in order, by the rules of `CMSG_NXTHDR`: a header that does not fit, or whose length
 * is impossible, ends the walk. A length that runs past the end is cut to what is there, as the kernel leaves it after MSG_CTRUNC.
 */
export function decodeControl(control: Uint8Array): ControlMessage[] {
  const view = new DataView(control.buffer, control.byteOffset, control.byteLength);
  const messages: ControlMessage[] = [];
  let offset = 0;
  while (offset + CMSG_HEADER_BYTES <= control.length) {
    // The upper half is padding on musl: only the lower 32 bits count.
    const length = view.getUint32(offset, true);
    if (length < CMSG_HEADER_BYTES) break;
    const end = Math.min(offset + length, control.length);
    messages.push({
      level: view.getInt32(offset + 8, true),
      type: view.getInt32(offset + 12, true),
      data: control.subarray(offset + CMSG_HEADER_BYTES, end),
    });
    offset += cmsgAlign(length);
  }
  return messages;
}

/**
 * Every descriptor that came with a message: those of all SCM_RIGHTS messages in order, and those that the kernel added by
 * itself (SCM_PIDFD, when the socket has SO_PASSPIDFD). The caller owns them all.
 */
export function decodeDescriptors(control: Uint8Array): { rights: number[]; added: number[] } {
  const rights: number[] = [];
  const added: number[] = [];
  for (const { level, type, data } of decodeControl(control)) {
    if (level !== SOL_SOCKET || (type !== SCM_RIGHTS && type !== SCM_PIDFD)) continue;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    for (let offset = 0; offset + 4 <= data.length; offset += 4) {
      const fd = view.getInt32(offset, true);
      if (fd >= 0) (type === SCM_RIGHTS ? rights : added).push(fd);
    }
  }
  return { rights, added };
}
