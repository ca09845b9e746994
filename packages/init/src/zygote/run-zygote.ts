import { isSyscallError } from '@pilotlight/scm-rights';
import { type Libc, loadLibc, pidfdSendSignal } from '@pilotlight/scm-rights/libc';
import { createLinuxSyscall } from '../syscall/linux.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { defaultSettings, type ZygoteSettings } from './protocol.ts';
import { type ChildProgress, Watchdog } from './watchdog.ts';
import { type Origin, sayEvent, ZygoteLoop } from './zygote-loop.ts';

const SIGKILL = 9;
/** Nobody changes it, so that waiting for it is sleeping. */
const never = new Int32Array(new SharedArrayBuffer(4));

/** What a zygote program has when it begins. */
export type ZygoteProcess = { libc: Libc; sys: Syscall; settings: ZygoteSettings };

/**
 * The frame of a zygote program: takes its command line, runs `main`, and ends the process. What
 * goes wrong is said on standard error, which the parent puts into its own error.
 */
export function runZygote(main: (own: ZygoteProcess) => void): void {
  const [, , koffiModule = '', settingsText = '{}'] = process.argv;
  const settings: ZygoteSettings = {
    ...defaultSettings,
    ...(JSON.parse(settingsText) as Partial<ZygoteSettings>),
  };
  const libc = loadLibc(koffiModule === '' ? {} : { koffiModule });
  const sys = createLinuxSyscall(libc);
  let exitCode = 0;
  try {
    main({ libc, sys, settings });
  } catch (error) {
    // EPIPE: the parent is gone, which is how a zygote usually ends.
    if (!isSyscallError(error, 'EPIPE')) {
      exitCode = 70;
      process.stderr.write(`pilotlight zygote: ${String(error)}\n`);
    }
  }
  sys.exit(exitCode);
}

/** Says that it is ready, serves until the parent hangs up, and looks after who is still on its way then. */
export function serveRequests(
  sys: Syscall,
  origin: Origin,
  { watchdogMs }: ZygoteSettings,
  progressOf: (pid: number) => ChildProgress,
): void {
  sayEvent(sys, { event: 'ready' });
  const watchdog = new Watchdog(watchdogMs, {
    now: () => performance.now(),
    progressOf,
    kill: (pidfd) => pidfdSendSignal(pidfd, SIGKILL),
    pause: (ms) => void Atomics.wait(never, 0, 0, ms),
  });
  try {
    new ZygoteLoop(sys, origin, watchdog).run();
  } catch (error) {
    // The parent is gone, which is how a zygote usually ends.
    if (!isSyscallError(error, 'EPIPE')) throw error;
  }
  watchdog.parentIsGone();
}
