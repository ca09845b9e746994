import { ReadStream } from 'node:tty';
import type { OciSpec } from '@pilotlight/init';
import {
  clearOnlcr,
  type OwnedFd,
  receiveFile,
  SeqpacketSocket,
  setWindowSize,
  socketpair,
} from '@pilotlight/scm-rights';

/** How long the last output may take to arrive when something else still holds the program's terminal. */
const DRAIN_MS = 250;

/**
 * A pty for a program in the foreground, joined to this process's own terminal: raw mode here, all rules of the line
 * there. Disposal, on every way out, gives our terminal back as it was.
 */
export class TerminalSession implements AsyncDisposable {
  readonly #ours: SeqpacketSocket;
  readonly #theirs: OwnedFd;
  readonly #received: Promise<OwnedFd>;
  #master: ReadStream | undefined;
  #stopFollowing: () => void = () => undefined;

  private constructor(ours: SeqpacketSocket, theirs: OwnedFd) {
    this.#ours = ours;
    this.#theirs = theirs;
    this.#received = receiveMaster(ours);
    // A launch that fails sends none.
    this.#received.catch(() => undefined);
  }

  /** Throws SyscallError when descriptors run out. */
  static open(): TerminalSession {
    const [ours, theirs] = socketpair('seqpacket');
    return new TerminalSession(new SeqpacketSocket(ours), theirs);
  }

  /** For the launch; stays ours. */
  get consoleSocket(): OwnedFd {
    return this.#theirs;
  }

  /** The specification with the size of our terminal. */
  sized(spec: OciSpec): OciSpec {
    const { columns: width, rows: height } = process.stdout;
    if (!process.stdout.isTTY || width === undefined || height === undefined) return spec;
    return { ...spec, process: { ...spec.process, consoleSize: { height, width } } };
  }

  /** Takes the pty that the child has sent, and joins both. After the launch. */
  async attach(): Promise<void> {
    // Ours would hide an end of file, should the child have sent nothing.
    this.#theirs.close();
    const fd = await this.#received;
    const number = fd.release();
    const master = new ReadStream(number);
    this.#master = master;
    this.#followSize(number);
    // EIO: nobody has the other side open any more. That is how a pty ends.
    master.on('error', () => undefined);
    master.pipe(process.stdout, { end: false });
    process.stdin.setRawMode(true);
    process.stdin.pipe(master, { end: false });
  }

  /** The program's terminal gets each new size of ours, and the program SIGWINCH. */
  #followSize(master: number): void {
    const follow = (): void => {
      const { columns, rows } = process.stdout;
      if (columns !== undefined && rows !== undefined) setWindowSize(master, { columns, rows });
    };
    // It may have changed between the launch and now.
    if (process.stdout.isTTY) follow();
    process.stdout.on('resize', follow);
    this.#stopFollowing = () => process.stdout.off('resize', follow);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const master = this.#master;
    if (master !== undefined) {
      await drained(master);
      this.#stopFollowing();
      process.stdin.unpipe(master);
      process.stdin.setRawMode(false);
      // Else it would keep this process waiting for a key.
      process.stdin.destroy();
      master.destroy();
    }
    this.#theirs.close();
    this.#ours.close();
    // One that arrived and was never attached.
    await this.#received.then(
      (fd) => fd.close(),
      () => undefined,
    );
  }
}

/**
 * The master, as soon as the child has made it: that is before the gate, and what the program
 * prints must not be printed by other rules than the rest.
 */
async function receiveMaster(socket: SeqpacketSocket): Promise<OwnedFd> {
  const { fd } = await receiveFile(socket);
  try {
    // Our terminal puts a carriage return before each line feed itself.
    clearOnlcr(fd);
    return fd;
  } catch (error) {
    fd.close();
    throw error;
  }
}

/** Resolves when the pty has ended and everything is read, or after a while if others keep it open. */
async function drained(master: ReadStream): Promise<void> {
  if (master.readableEnded || master.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, DRAIN_MS);
  master.once('end', resolve);
  master.once('close', resolve);
  await promise;
  clearTimeout(timer);
}
