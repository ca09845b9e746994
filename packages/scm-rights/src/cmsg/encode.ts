import { SCM_RIGHTS, SOL_SOCKET } from '../libc/constants.ts';
import { cmsgLen, cmsgSpace } from './layout.ts';

/** One SCM_RIGHTS message with `fds` in their order; no bytes at all for no descriptors. */
export function encodeRights(fds: readonly number[]): Uint8Array {
  const control = new Uint8Array(fds.length === 0 ? 0 : cmsgSpace(4 * fds.length));
  encodeRightsInto(control, fds);
  return control;
}

/** Writes what {@link encodeRights} returns to the start of `target`; returns its length. */
export function encodeRightsInto(target: Uint8Array, fds: readonly number[]): number {
  if (fds.length === 0) return 0;
  const space = cmsgSpace(4 * fds.length);
  target.fill(0, 0, space);
  const view = new DataView(target.buffer, target.byteOffset, space);
  view.setBigUint64(0, BigInt(cmsgLen(4 * fds.length)), true);
  view.setInt32(8, SOL_SOCKET, true);
  view.setInt32(12, SCM_RIGHTS, true);
  for (const [index, fd] of fds.entries()) view.setInt32(16 + 4 * index, fd, true);
  return space;
}
