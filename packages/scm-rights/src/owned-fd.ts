import { BorrowedFd } from './borrowed-fd.ts';
import { FdClosedError, InvalidFdError } from './errors.ts';
import { close } from './libc/close.ts';
import { fcntlGetfd, fcntlSetfd } from './libc/fcntl.ts';
import { FD_CLOEXEC } from './libc/constants.ts';
import { reportOpened, reportReleased } from './owned-fd-observer.ts';

/**
 * A descriptor with one owner, who closes it exactly once.
 *
 * The constructor takes over a number that nobody else will close. Works with `using`.
 */
export class OwnedFd implements Disposable {
  #fd: number;
  readonly #role: string;
  #listeners: Set<() => void> | undefined;

  /** `role` names the descriptor in errors, such as `"pidfd of 712"`. Throws InvalidFdError. */
  constructor(fd: number, role = 'OwnedFd') {
    if (!Number.isInteger(fd) || fd < 0 || fd > 0x7fffffff) throw new InvalidFdError(fd);
    this.#fd = fd;
    this.#role = role;
    reportOpened(this, fd, role);
  }

  /** Takes over a descriptor that was inherited or made elsewhere, and marks it close-on-exec. Throws SyscallError. */
  static adopt(fd: number, role?: string): OwnedFd {
    const owned = new OwnedFd(fd, role);
    fcntlSetfd(fd, fcntlGetfd(fd) | FD_CLOEXEC);
    return owned;
  }

  /** The number; valid until {@link close} or {@link release}, then FdClosedError. */
  get fd(): number {
    if (this.#fd < 0) throw new FdClosedError(this.#role);
    return this.#fd;
  }

  /** Whether it was closed or released. */
  get closed(): boolean {
    return this.#fd < 0;
  }

  /** What it is called in errors. */
  get role(): string {
    return this.#role;
  }

  /** Closes it; once closed or released, does nothing. Throws SyscallError (EBADF: somebody else closed it). */
  close(): void {
    if (this.#fd >= 0) close(this.release());
  }

  /** Gives the number to the caller, who closes it from now on. Throws FdClosedError. */
  release(): number {
    const fd = this.fd;
    // Before the number changes hands: whoever watches it still has to name it.
    for (const listener of this.#listeners ?? []) listener();
    this.#listeners = undefined;
    this.#fd = -1;
    reportReleased(this);
    return fd;
  }

  /** A view for someone who uses the descriptor but must not close it. */
  borrow(): BorrowedFd {
    return new BorrowedFd(this);
  }

  /** Runs `listener` right before the descriptor is closed or released; returns what takes it back. */
  beforeClose(listener: () => void): () => void {
    this.#listeners ??= new Set();
    this.#listeners.add(listener);
    return () => this.#listeners?.delete(listener);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  toString(): string {
    return `OwnedFd(${this.#role}: ${this.closed ? 'closed' : `fd ${this.#fd}`})`;
  }
  static {
    // What console.log and a debugger show.
    Object.defineProperty(OwnedFd.prototype, Symbol.for('nodejs.util.inspect.custom'), {
      value(this: OwnedFd): string {
        return this.toString();
      },
    });
  }
}
