import { type FdLike } from './fd-like.ts';
import { encodeFileName } from './file-packet.ts';
import type { SeqpacketSocket } from './seqpacket-socket.ts';

/**
 * Sends one descriptor and its name as runc does (libcontainer/utils/cmsg.go, 1.2.0). The descriptor stays the caller's.
 *
 * The name is checked before anything is sent. Throws FileNameTooLongError (4096 bytes or more), InvalidStringError, and
 * what `SeqpacketSocket.send` throws.
 */
export async function sendFile(
  socket: SeqpacketSocket,
  name: string,
  fd: FdLike,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  await socket.send(encodeFileName(name), [fd], options);
}
