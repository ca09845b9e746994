/** Counts open {@link MemoryFile} handles, as a process's descriptor table would. */
export class MemoryFileTable {
  readonly #open = new Set<MemoryFile>();

  /** How many handles are open. */
  get openCount(): number {
    return this.#open.size;
  }

  /** A handle on a new file; the caller closes it. */
  open(): MemoryFile {
    return this.#handle(Symbol('memory file'));
  }

  #handle(description: symbol): MemoryFile {
    const file: MemoryFile = {
      description,
      duplicate: () => {
        if (!this.#open.has(file)) throw new TypeError('duplicate a memory file: it is closed');
        return this.#handle(description);
      },
      isOpen: () => this.#open.has(file),
      [Symbol.dispose]: () => {
        this.#open.delete(file);
      },
    };
    this.#open.add(file);
    return file;
  }
}

/** A handle with one owner that stands for a descriptor in tests; made by a MemoryFileTable. */
export type MemoryFile = Disposable & {
  /** The same for all handles of one file, as an open file description is. */
  readonly description: symbol;
  /** A second handle on the same file, which its receiver closes. */
  duplicate(): MemoryFile;
  isOpen(): boolean;
};
