import { type OwnedFd, UnixStream } from '@pilotlight/scm-rights';
import {
  byteStreamOf,
  createStreamChannel,
  embedshim,
  type ProcSyncMessage,
  type StreamChannel,
} from '@pilotlight/sync/dialects';
import { ExecUsageError, messageOf } from '../errors.ts';

/** The variable that tells the wrapper which of its descriptors is the socket to its parent. */
export const procSyncVariable = '_RUNCEXT_PROC_SYNC_PIPE';

/** What the two ends say to each other over an AF_UNIX stream socket. */
export type ProcSyncChannel = StreamChannel<ProcSyncMessage>;

/** A channel over one end of a socket pair, which it owns and closes. Throws SocketTypeError and SyscallError; then `socket` stays with the caller. */
export function procSyncChannel(socket: OwnedFd): ProcSyncChannel {
  return channelOver(new UnixStream(socket, { allowHalfOpen: true }));
}

/**
 * The channel to the parent that started this process, by the descriptor that the environment names. Call it once: the
 * channel owns the descriptor, which is close-on-exec from here on. Throws ExecUsageError.
 */
export function inheritedProcSyncChannel(
  env: Readonly<Record<string, string | undefined>>,
): ProcSyncChannel {
  const text = env[procSyncVariable];
  if (text === undefined) {
    throw unusable('the variable is not set');
  }
  const fd = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(fd >= 3)) {
    throw unusable(
      `${JSON.stringify(text.slice(0, 80))} is not the number of a descriptor from 3 on`,
    );
  }
  try {
    return channelOver(UnixStream.fromFd(fd, { allowHalfOpen: true }));
  } catch (cause) {
    throw unusable(messageOf(cause), cause);
  }
}

function unusable(reason: string, cause?: unknown): ExecUsageError {
  return new ExecUsageError(`take the parent's socket from ${procSyncVariable}: ${reason}`, {
    hint: 'The wrapper is started by a daemon that speaks its protocol, never by hand.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function channelOver(stream: UnixStream): ProcSyncChannel {
  // Whoever reads or writes at that time is told; between calls nobody is there to listen.
  stream.on('error', () => undefined);
  const bytes = byteStreamOf({
    incoming: stream,
    write: (chunk) =>
      new Promise((resolve, reject) => {
        stream.write(chunk, (error) => (error ? reject(error) : resolve()));
      }),
    close: () => void stream.destroy(),
  });
  return createStreamChannel<ProcSyncMessage>(bytes, embedshim);
}
