import { type ChildProcess, spawn } from 'node:child_process';
import { isSyscallError, type OwnedFd, pidfdOpen, pidfdSendSignal } from '@pilotlight/scm-rights';
import { messageOf, RuntimeError } from '../errors.ts';
import { runtimeCommand } from './runtime-command.ts';
import type { RuntimeLog } from './runtime-log.ts';

/** How a runtime is run. */
export type RunRuntimeOptions = {
  readonly env: Readonly<Record<string, string>>;
  /** Made for this run. */
  readonly log: RuntimeLog;
  /** Kills the runtime when aborted. */
  readonly signal: AbortSignal;
};

/**
 * Runs one command of a runtime, with the standard streams of this process, to its end.
 *
 * The runtime is killed when this process dies, however it dies: PR_SET_PDEATHSIG of prctl(2), by way of setpriv(1) of
 * util-linux 2.33. Where that is not installed, a runtime whose caller was killed by SIGKILL goes on to its own end; every
 * other end of this process can still be seen coming, through `signal`.
 *
 * Throws RuntimeError when it does not exit with 0, and the signal's reason, after it has ended, when it was killed for that.
 */
export async function runRuntime(
  args: readonly string[],
  { env, log, signal }: RunRuntimeOptions,
): Promise<void> {
  signal.throwIfAborted();
  const [runtime, ...rest] = runtimeCommand(log.options, args);
  const child = spawn(
    '/bin/sh',
    ['-c', guard, 'sh', start, String(process.pid), runtime, ...rest],
    {
      env,
      stdio: ['inherit', 'inherit', 'inherit', log.fd ?? 'ignore'],
    },
  );
  const ended = endOf(child);
  if (child.pid === undefined) return ended.then(() => undefined);
  // In the turn it was spawned: Node has not waited for it yet.
  using pidfd = pidfdOpen(child.pid);
  const kill = (): void => killNow(pidfd);
  signal.addEventListener('abort', kill, { once: true });
  const end = await ended.finally(() => signal.removeEventListener('abort', kill));
  if (end === 'exited with 0') return;
  signal.throwIfAborted();
  throw new RuntimeError(`run ${runtime} ${args[0] ?? ''}`, end, await log.lastError());
}

/**
 * setpriv makes the kernel kill it, and what it becomes, at our end. It stays on over execve(2), and a child that the runtime
 * forks does not have it.
 */
const guard = `
if setpriv --pdeathsig KILL true 2>/dev/null; then
  exec setpriv --pdeathsig KILL /bin/sh -c "$@"
fi
exec /bin/sh -c "$@"`;

/**
 * Only now that the death signal is set: if our end came before it, another has become the parent. The soft limit of open
 * files is the usual one again, because Node has raised it to the hard one and what it was is lost.
 */
const start = `
[ "$PPID" = "$0" ] || exit 125
ulimit -S -n 1024 2>/dev/null || :
exec "$@"`;

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.on('error', (cause) => reject(new RuntimeError('run /bin/sh', messageOf(cause), '')));
    child.on('exit', (code, signal) =>
      resolve(signal === null ? `exited with ${code}` : `was ended by ${signal}`),
    );
  });
}

function killNow(pidfd: OwnedFd): void {
  try {
    pidfdSendSignal(pidfd, 'SIGKILL');
  } catch (error) {
    // It has ended just now.
    if (!isSyscallError(error, 'ESRCH')) throw error;
  }
}
