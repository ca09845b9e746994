/** What a view needs of its owner. */
interface Owner {
  readonly fd: number;
  readonly closed: boolean;
  readonly role: string;
  beforeClose(listener: () => void): () => void;
}

/** A view of an OwnedFd that cannot close it. Obtain it from `OwnedFd.borrow()`. */
export class BorrowedFd {
  readonly #owner: Owner;

  constructor(owner: Owner) {
    this.#owner = owner;
  }

  /** The number; FdClosedError once the owner closed or released it. */
  get fd(): number {
    return this.#owner.fd;
  }

  /** Whether the owner closed or released it. */
  get closed(): boolean {
    return this.#owner.closed;
  }

  /** What the owner calls it in errors. */
  get role(): string {
    return this.#owner.role;
  }

  /** See `OwnedFd.beforeClose`. */
  beforeClose(listener: () => void): () => void {
    return this.#owner.beforeClose(listener);
  }

  toString(): string {
    return `BorrowedFd(${this.role}: ${this.closed ? 'closed' : `fd ${this.fd}`})`;
  }
  static {
    // What console.log and a debugger show.
    Object.defineProperty(BorrowedFd.prototype, Symbol.for('nodejs.util.inspect.custom'), {
      value(this: BorrowedFd): string {
        return this.toString();
      },
    });
  }
}
