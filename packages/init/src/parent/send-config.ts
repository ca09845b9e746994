import { isSyscallError, type OwnedFd, readiness } from '@pilotlight/scm-rights';
import type { ProcessConfig } from '../config/init-config.ts';
import { setNonBlocking, write } from '../syscall/stream.ts';

/**
 * Hands the config over and closes the socket: its end of file is what completes the message.
 *
 * A child that is already gone is no error here; it has told why, or its end of file will.
 */
export async function sendConfig(
  socket: OwnedFd,
  config: ProcessConfig,
  signal: AbortSignal,
): Promise<void> {
  try {
    setNonBlocking(socket);
    let rest: Uint8Array = Buffer.from(JSON.stringify(config));
    while (rest.length > 0) {
      try {
        rest = rest.subarray(write(socket, rest));
      } catch (error) {
        if (!isSyscallError(error, 'EAGAIN')) throw error;
        await readiness.wait(socket, 'writable', { signal });
      }
    }
  } catch (error) {
    if (!isSyscallError(error, 'EPIPE') && !isSyscallError(error, 'ECONNRESET')) throw error;
  } finally {
    socket.close();
  }
}
