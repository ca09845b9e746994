import { lstatSync, unlinkSync } from 'node:fs';
import { isAbstract, type UnixAddress } from './unix-address.ts';

/** The file that stands for a socket bound to a path. */
export class SocketFile {
  readonly #path: string;
  readonly #dev: bigint;
  readonly #ino: bigint;

  private constructor(path: string) {
    const { dev, ino } = lstatSync(path, { bigint: true });
    this.#path = path;
    this.#dev = dev;
    this.#ino = ino;
  }

  /** The file that was just made by binding to `address`; undefined for an abstract name. */
  static at(address: UnixAddress): SocketFile | undefined {
    return isAbstract(address) ? undefined : new SocketFile(address);
  }

  /** Removes it, unless another one has taken its place. */
  remove(): void {
    try {
      const now = lstatSync(this.#path, { bigint: true });
      if (now.dev === this.#dev && now.ino === this.#ino) unlinkSync(this.#path);
    } catch {
      // Gone already, or no longer reachable: then it is not ours to remove.
    }
  }
}
