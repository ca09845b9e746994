// A seccomp agent: takes listeners on a socket and answers what their filters notify about.
import { type OwnedFd, listenStream, readiness } from '@pilotlight/scm-rights';
import { loadLibc } from '@pilotlight/scm-rights/libc';

// linux/seccomp.h: struct seccomp_notif and seccomp_notif_resp, and their ioctls.
const SECCOMP_IOCTL_NOTIF_RECV = 0xc050_2100;
const SECCOMP_IOCTL_NOTIF_SEND = 0xc018_2101;
const SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1;
const NOTIF_BYTES = 80;
const RESPONSE_BYTES = 24;

export type Notification = { pid: number; nr: number; args: bigint[] };
/** A negative errno, a result, or that the kernel is to make the call. */
export type Decision = number | 'continue';

export type Agent = AsyncDisposable & {
  /** The state that came with each listener, as it came. */
  readonly states: string[];
  readonly notifications: Notification[];
};

/** Listens at `path` and lets `decide` answer every notification until it is disposed of. */
export function startAgent(path: string, decide: (notification: Notification) => Decision): Agent {
  const states: string[] = [];
  const notifications: Notification[] = [];
  const stop = new AbortController();
  const serving: Promise<void>[] = [];
  const server = listenStream(path);
  server.on('connection', (stream) => {
    stream.on('fds', (fds: OwnedFd[]) => {
      for (const fd of fds) {
        serving.push(
          serve(fd, stop.signal, (notification) => {
            notifications.push(notification);
            return decide(notification);
          }),
        );
      }
    });
    let text = '';
    stream.on('data', (part: Buffer) => (text += part.toString()));
    stream.on('end', () => {
      states.push(text);
      stream.end();
    });
  });
  return {
    states,
    notifications,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(serving);
      server.close();
    },
  };
}

async function serve(
  listener: OwnedFd,
  signal: AbortSignal,
  decide: (notification: Notification) => Decision,
): Promise<void> {
  const ioctl = loadLibc().func('ioctl', 'int', ['int', 'ulong', 'void *']);
  try {
    for (;;) {
      await readiness.wait(listener, 'readable', { signal });
      const notif = Buffer.alloc(NOTIF_BYTES);
      // Fails when nobody is under the filter any more, or who asked is gone.
      if (ioctl(listener.fd, SECCOMP_IOCTL_NOTIF_RECV, notif) !== 0) return;
      const id = notif.readBigUInt64LE(0);
      const decision = decide({
        pid: notif.readUInt32LE(8),
        nr: notif.readInt32LE(16),
        args: Array.from({ length: 6 }, (_, index) => notif.readBigUInt64LE(32 + index * 8)),
      });
      const response = Buffer.alloc(RESPONSE_BYTES);
      response.writeBigUInt64LE(id, 0);
      if (decision === 'continue') response.writeUInt32LE(SECCOMP_USER_NOTIF_FLAG_CONTINUE, 20);
      else if (decision < 0) response.writeInt32LE(decision, 16);
      else response.writeBigInt64LE(BigInt(decision), 8);
      ioctl(listener.fd, SECCOMP_IOCTL_NOTIF_SEND, response);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    listener.close();
  }
}
