import { UnexpectedEofError } from './errors.ts';
import { decodeFile, type ReceivedFile } from './file-packet.ts';
import type { SeqpacketSocket } from './seqpacket-socket.ts';

/**
 * Receives one descriptor and its name as runc sends them (libcontainer/utils/cmsg.go, 1.2.0).
 *
 * Any other number of descriptors is refused and all are closed. Throws UnexpectedFdsError, FileNameTooLongError,
 * UnexpectedEofError, and what `SeqpacketSocket.receive` throws.
 */
export async function receiveFile(
  socket: SeqpacketSocket,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<ReceivedFile> {
  const packet = await socket.receive(options);
  if (packet === undefined) throw new UnexpectedEofError(socket.fd, 'a file');
  return decodeFile(packet.bytes, packet.fds);
}
