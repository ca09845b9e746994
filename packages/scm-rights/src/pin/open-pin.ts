import { isSyscallError } from '../errors.ts';
import { O_NOFOLLOW, O_RDWR } from '../libc/constants.ts';
import { openFd } from '../open-fd.ts';
import { OwnedFd } from '../owned-fd.ts';
import { isPidfs } from '../pidfd/pidfd-inode.ts';
import { isPin } from './is-pin.ts';

/**
 * The pidfd pinned at `path`, a full one; undefined if there is no pin. The caller closes it. Throws SyscallError.
 *
 * Pins are seen only in the mount namespace they were made in, so no pin does not mean that there was none.
 */
export function openPin(path: string): OwnedFd | undefined {
  // Looked at before it is opened, because opening something else, a FIFO for one, may block.
  if (!isPin(path)) return undefined;
  let opened: OwnedFd;
  try {
    opened = openFd(path, O_RDWR | O_NOFOLLOW);
  } catch (error) {
    if (isSyscallError(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    // And looked at again, because the pin may have gone between the two.
    if (isPidfs(opened)) return new OwnedFd(opened.release(), `pin ${path}`);
  } catch (error) {
    opened.close();
    throw error;
  }
  opened.close();
  return undefined;
}
