/** How a process ended. Exactly one of `code` and `signal` is a number. */
export interface WaitStatus {
  /** Exit code 0 to 255, or null if a signal ended it. */
  code: number | null;
  /** Number of the signal that ended it, or null if it exited. */
  signal: number | null;
  /** Whether the kernel reported a core dump. */
  core: boolean;
  /** The raw 32-bit status, as wait(2) gives it. */
  raw: number;
}

/** The meaning of a raw wait status of an ended process; the macros of `wait(2)`. */
export function decodeWaitStatus(raw: number): WaitStatus {
  const signal = raw & 0x7f;
  if (signal === 0) return { code: (raw >> 8) & 0xff, signal: null, core: false, raw };
  return { code: null, signal, core: (raw & 0x80) !== 0, raw };
}
