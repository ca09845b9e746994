import type { LaunchPhase, Stdio } from '@pilotlight/init';
import type { OwnedFd } from '@pilotlight/scm-rights';
import { waitReaped } from '../supervision/wait-reaped.ts';
import type { WatchedProgram } from './live-process.ts';

/** A program that the monitor launched for us: its streams end here, and its end is seen through a pidfd. */
export class RemoteProgram implements WatchedProgram {
  readonly phases: readonly LaunchPhase[];
  readonly stdin: WatchedProgram['stdin'];
  readonly stdout: WatchedProgram['stdout'];
  readonly stderr: WatchedProgram['stderr'];
  readonly exited: Promise<void>;
  readonly #pidfd: OwnedFd;
  readonly #stop = new AbortController();

  /** Takes over the pidfd, and our ends of the streams. */
  constructor(pidfd: OwnedFd, stdio: Stdio | undefined, phases: readonly LaunchPhase[]) {
    this.#pidfd = pidfd;
    this.phases = phases;
    this.stdin = stdio?.stdin ?? null;
    this.stdout = stdio?.stdout ?? null;
    this.stderr = stdio?.stderr ?? null;
    this.exited = this.#watch(stdio);
    this.exited.catch(() => undefined);
  }

  /** The streams stay the caller's. */
  detach(): void {
    this.#stop.abort();
    this.#pidfd.close();
  }

  async #watch(stdio: Stdio | undefined): Promise<void> {
    // Its parent records the end before it reaps it.
    await waitReaped(this.#pidfd, this.#stop.signal);
    this.#pidfd.close();
    void stdio?.drain();
  }
}
