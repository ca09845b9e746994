import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { LaunchError } from '../../errors.ts';
import {
  hookAttempt,
  type HookEnd,
  hookFailure,
  hookHint,
  keepEnd,
} from '../../hooks/hook-failure.ts';
import type { OciState } from '../../hooks/oci-state.ts';
import type { PlannedHook } from '../../plan/hooks.ts';

export type HookOptions = {
  /** Where it runs: the bundle. */
  cwd: string;
  /** What it gets on its standard input. */
  state: OciState;
  /** For a hook that has no timeout of its own, in milliseconds. */
  defaultTimeoutMs: number;
  /** Kills the hook. */
  signal?: AbortSignal | undefined;
};

/** How long the output of a failed hook may be held open by something that it left running. */
const lastWordsMs = 200;

/**
 * Runs one hook in this process's namespaces and waits for its end; config.md, POSIX-platform Hooks.
 *
 * Its environment is exactly the configuration's. It leads a process group of its own, which is
 * killed at the end of its time. A hook that does not read its input is no failure.
 *
 * @throws LaunchError with the kind of the hook as step and its place in the list as index
 * @throws the signal's reason, once the hook is dead
 */
export async function runHook(hook: PlannedHook, options: HookOptions): Promise<void> {
  const { signal, state, cwd } = options;
  signal?.throwIfAborted();
  const timeoutMs = hook.timeoutMs ?? options.defaultTimeoutMs;
  const [argv0, ...args] = hook.args;
  let child: ChildProcess;
  try {
    child = spawn(hook.path, args, {
      argv0,
      cwd,
      env: Object.fromEntries(hook.env.map(splitEntry)),
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
  } catch (error) {
    throw startFailure(hook, error);
  }
  const output = collectOutput(child);
  // EPIPE: it did not read to the end, which is its own affair.
  child.stdin!.on('error', () => undefined);
  child.stdin!.end(JSON.stringify(state));

  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup(child);
  }, timeoutMs);
  const abort = (): void => killGroup(child);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const status = await ended(child);
    if (signal?.aborted === true) throw signal.reason;
    const end: HookEnd = timedOut ? { kind: 'timedOut', timeoutMs } : status;
    if (end.kind === 'exited' && end.code === 0) return;
    await output.complete;
    throw endFailure(hook, end, output.kept());
  } catch (error) {
    throw isSpawnError(error) ? startFailure(hook, error) : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
  }
}

const splitEntry = (entry: string): [name: string, value: string] => {
  const separator = entry.indexOf('=');
  return [entry.slice(0, separator), entry.slice(separator + 1)];
};

function ended(child: ChildProcess): Promise<HookEnd> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      resolve(
        code === null ? { kind: 'signaled', signal: signal ?? '?' } : { kind: 'exited', code },
      ),
    );
  });
}

type CollectedOutput = {
  /** The last of what came until now. */
  kept(): Uint8Array;
  /** Resolves at its end; after the hook's own end at most a moment later. */
  complete: Promise<void>;
};

function collectOutput(child: ChildProcess): CollectedOutput {
  let kept: Uint8Array = new Uint8Array();
  const take = (more: Uint8Array): void => void (kept = keepEnd(kept, more));
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', take);
    stream.on('error', () => undefined);
  }
  const complete = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('exit', () => setTimeout(resolve, lastWordsMs).unref());
  });
  return { kept: () => kept, complete };
}

/** Only while it is known not to have been waited for: afterwards the number may be another's. */
function killGroup(child: ChildProcess): void {
  const { pid, exitCode, signalCode } = child;
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Without the right to signal some other member of the group, the hook itself.
    child.kill('SIGKILL');
  }
}

function endFailure(hook: PlannedHook, end: HookEnd, output: Uint8Array): LaunchError {
  return new LaunchError({
    step: hook.kind,
    message: `${hookAttempt(hook)}: ${hookFailure(end, output)}`,
    path: hook.path,
    index: hook.index,
    hint: hookHint(end),
  });
}

const isSpawnError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error &&
  'syscall' in error &&
  typeof error.syscall === 'string' &&
  error.syscall.startsWith('spawn');

function startFailure(hook: PlannedHook, cause: unknown): LaunchError {
  const { code, errno } = cause as NodeJS.ErrnoException;
  const known = code !== undefined && code in constants.errno;
  return new LaunchError({
    step: hook.kind,
    message: `${hookAttempt(hook)}: execve: ${code ?? String(cause)}`,
    syscall: 'execve',
    path: hook.path,
    index: hook.index,
    ...(known ? { errnoCode: code } : {}),
    ...(known && errno !== undefined ? { errno } : {}),
    cause,
    hint: 'The path of this hook is one of the host: the program must be there and executable for the user who launches.',
  });
}
