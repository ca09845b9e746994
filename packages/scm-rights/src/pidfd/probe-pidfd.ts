import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isSyscallError } from '../errors.ts';
import type { OwnedFd } from '../owned-fd.ts';
import { mountPrivately, unmountPrivately } from '../pin/mount-privately.ts';
import { openPin } from '../pin/open-pin.ts';
import { pinPidfd } from '../pin/pin-pidfd.ts';
import { unpin } from '../pin/unpin.ts';
import { pidfdInfo } from './pidfd-info.ts';
import { pidfdOpen } from './pidfd-open.ts';

/** What this kernel, with the rights and filters this process has, lets us do with pidfds. */
export interface PidfdSupport {
  /** pidfd_open(2) works. */
  pidfd: boolean;
  /** PIDFD_GET_INFO works. */
  getInfo: boolean;
  /** PIDFD_GET_INFO tells the exit status after somebody else reaped the process. */
  exitInfo: boolean;
  /** A pidfd can be pinned to a file, and the status read from there. */
  pins: boolean;
}

/**
 * Tries what works, by behaviour and not by version: runs a trivial child and asks about it. Leaves nothing behind.
 *
 * Takes some tens of milliseconds; keep the answer. Pins are tried in a new directory under `directory`, by default the
 * system's temporary one. Throws SyscallError for failures that say nothing about support, such as EMFILE.
 */
export async function probePidfd(options: { directory?: string } = {}): Promise<PidfdSupport> {
  const support: PidfdSupport = { pidfd: false, getInfo: false, exitInfo: false, pins: false };
  // Prints its version and ends; there is no program that is surer to exist.
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore', env: {} });
  const ended = once(child, 'exit');
  try {
    // In the turn it was spawned: nothing can have waited for it before this turn is over.
    const pidfd = tryTo(() => pidfdOpen(child.pid ?? -1));
    if (pidfd === undefined) return support;
    using held = pidfd;
    support.pidfd = true;
    support.getInfo = tryTo(() => pidfdInfo(held)) !== undefined;
    if (!support.getInfo) return support;
    using pin = tryTo(() => TrialPin.make(held, options.directory ?? tmpdir()));
    await ended;
    const code = exitCode(child);
    support.exitInfo = tryTo(() => pidfdInfo(held).exit?.code) === code;
    support.pins = support.exitInfo && pin?.exitCode() === code;
    return support;
  } finally {
    await ended;
  }
}

/** A pin in a directory of its own, both gone after disposal. */
class TrialPin implements Disposable {
  readonly #directory: string;
  readonly #path: string;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#path = join(directory, 'pin');
  }

  static make(pidfd: OwnedFd, parent: string): TrialPin {
    const trial = new TrialPin(mkdtempSync(join(parent, 'pidfd-probe-')));
    try {
      mountPrivately(trial.#directory);
      pinPidfd(pidfd, trial.#path);
      return trial;
    } catch (error) {
      trial[Symbol.dispose]();
      throw error;
    }
  }

  exitCode(): number | null | undefined {
    using opened = tryTo(() => openPin(this.#path));
    return opened === undefined ? undefined : tryTo(() => pidfdInfo(opened).exit?.code);
  }

  [Symbol.dispose](): void {
    tryTo(() => unpin(this.#path));
    tryTo(() => unmountPrivately(this.#directory));
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function exitCode(child: ChildProcess): number | null {
  return child.exitCode;
}

const SAYS_NOTHING: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM']);

/** The result, or undefined if the kernel refused in a way that means "not here". */
function tryTo<Result>(action: () => Result): Result | undefined {
  try {
    return action();
  } catch (error) {
    if (!isSyscallError(error) || SAYS_NOTHING.has(error.code)) throw error;
    return undefined;
  }
}
