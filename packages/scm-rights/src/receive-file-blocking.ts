import { closeAll } from './close-all.ts';
import { ControlTruncatedError, UnexpectedEofError } from './errors.ts';
import { decodeFile, MAX_FILE_NAME_BYTES, type ReceivedFile } from './file-packet.ts';
import { MSG_CTRUNC, SCM_MAX_FD } from './libc/constants.ts';
import { recvmsg } from './libc/recvmsg.ts';
import { OwnedFd } from './owned-fd.ts';

/**
 * Like `receiveFile`, on a blocking stream or packet socket, for a process without an event loop such as a forked child.
 *
 * Throws UnexpectedFdsError, FileNameTooLongError, UnexpectedEofError, ControlTruncatedError, SyscallError.
 */
export function receiveFileBlocking(socketFd: number): ReceivedFile {
  const payload = new Uint8Array(MAX_FILE_NAME_BYTES);
  const { length, fds, flags } = recvmsg(socketFd, payload);
  const owned = fds.map((fd) => new OwnedFd(fd, 'received descriptor'));
  if ((flags & MSG_CTRUNC) !== 0) {
    closeAll(owned);
    throw new ControlTruncatedError(socketFd, owned.length, SCM_MAX_FD);
  }
  if (length === 0) throw new UnexpectedEofError(socketFd, 'a file');
  return decodeFile(payload.subarray(0, length), owned);
}
