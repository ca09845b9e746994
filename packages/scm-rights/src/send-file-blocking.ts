import { encodeFileName } from './file-packet.ts';
import { sendmsg } from './libc/sendmsg.ts';

/**
 * Like `sendFile`, on a blocking stream or packet socket, for a process without an event loop such as a forked child.
 *
 * Throws FileNameTooLongError, InvalidStringError, SyscallError.
 */
export function sendFileBlocking(socketFd: number, name: string, fd: number): void {
  sendmsg(socketFd, encodeFileName(name), { fds: [fd] });
}
