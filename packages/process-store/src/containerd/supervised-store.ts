import type { LaunchOptions, OciProcess, OciSpec } from '@pilotlight/init';
import type { OwnedFd } from '@pilotlight/scm-rights';
import type { ExitRecord } from '../record/exit-record.ts';

/** What supervision needs of a recorded process; `StoredProcess` has it. */
export interface SupervisedProcess {
  readonly pid: number;
  readonly cgroupPaths: readonly string[];
  readonly exit: ExitRecord | undefined;
  wait(options?: { signal?: AbortSignal }): Promise<ExitRecord>;
  signal(signal: NodeJS.Signals | number): Promise<void>;
}

/** How a process is started: its streams, and what is told before it runs. */
export interface StartRequest extends Pick<LaunchOptions, 'stdio'> {
  /** Takes the master of its terminal. */
  consoleSocket?: OwnedFd;
  /** Ends the start, of which nothing is left then. */
  signal?: AbortSignal;
  beforeRun?: (process: { pid: number }) => Promise<void>;
}

/** What supervision needs of a store; `ProcessStore` has it. Keys are `box` for a container's init, `box/e1` for an exec. */
export interface SupervisedStore {
  launch(
    request: StartRequest & { id: string; spec: OciSpec; bundle: string },
  ): Promise<SupervisedProcess>;
  exec(
    container: string,
    request: StartRequest & { id: string; process: OciProcess },
  ): Promise<SupervisedProcess>;
  /** Rejects with NotFoundError if there is no such record. */
  load(key: string): Promise<SupervisedProcess>;
  remove(key: string, options?: { force?: boolean }): Promise<void>;
  /** A copy of the master of its terminal, where somebody holds one; the caller closes it. */
  console?(key: string): Promise<OwnedFd | undefined>;
}
