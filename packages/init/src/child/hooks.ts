import {
  hookAttempt,
  type HookEnd,
  hookFailure,
  hookHint,
  keepEnd,
} from '../hooks/hook-failure.ts';
import type { OciState } from '../hooks/oci-state.ts';
import type { PlannedHook } from '../plan/hooks.ts';
import type { SpawnedEnd, Syscall } from '../syscall/syscall.ts';
import { attempting, StepFailure } from './step-failure.ts';

type Ended = { end: HookEnd; output: Uint8Array };

/**
 * Runs hooks one after the other, as whoever and wherever this process is now.
 *
 * @param state what each gets on its standard input
 * @param sync when the parent hangs up there, the hook is killed: the launch is over
 * @throws StepFailure at the first that fails; what it printed is in the message
 */
export function runHooks(
  sys: Syscall,
  hooks: readonly PlannedHook[],
  state: OciState,
  sync: number,
): void {
  const text = new TextEncoder().encode(JSON.stringify(state));
  for (const hook of hooks) {
    const attempt = hookAttempt(hook);
    const { index, path } = hook;
    const { end, output } = attempting(attempt, { index, hint: () => callHint }, () =>
      runHook(sys, hook, text, sync),
    );
    const failure = hookFailure(end, output);
    if (failure !== undefined) {
      throw new StepFailure(attempt, new Error(failure), { index, path, hint: hookHint(end) });
    }
  }
}

const callHint =
  'The path of a createContainer hook is one of the host, that of a startContainer hook one inside the container, and an executable program for the user of the configuration.';

function runHook(sys: Syscall, hook: PlannedHook, state: Uint8Array, sync: number): Ended {
  // A file, not a pipe: a hook that does not read must not hold us, however long the state is.
  const stdin = sys.memoryFile('state', state);
  const { reader, writer } = sys.pipe();
  const pid = sys.spawn(hook.path, hook.args, hook.env, stdin, writer);
  try {
    sys.close(stdin);
    // Only the hook's own copy is left, whose end is the end of file.
    sys.close(writer);
    const ended = awaitEnd(sys, pid, reader, sync, hook.timeoutMs);
    sys.close(reader);
    return ended;
  } catch (error) {
    killAsFarAsPossible(sys, pid);
    throw error;
  }
}

/** Without a pid namespace the hook would outlive this process. */
function killAsFarAsPossible(sys: Syscall, pid: number): void {
  try {
    sys.killGroup(pid);
  } catch {
    // It has ended; why we came here is what must be told.
  }
}

function awaitEnd(
  sys: Syscall,
  pid: number,
  reader: number,
  sync: number,
  timeoutMs: number | null,
): Ended {
  const pidfd = sys.pidfdOpen(pid);
  const output = new Output(sys, reader);
  let end: HookEnd;
  if (awaitInTime(sys, pidfd, output, sync, timeoutMs)) {
    end = endOf(sys.waitSpawned(pidfd));
    output.readTheRest();
  } else {
    // The group: what a shell has started would go on with what the hook was about to do.
    sys.killGroup(pid);
    sys.waitSpawned(pidfd);
    end = { kind: 'timedOut', timeoutMs: timeoutMs ?? 0 };
  }
  sys.close(pidfd);
  return { end, output: output.kept };
}

/** @returns false when the time is over and the hook still runs */
function awaitInTime(
  sys: Syscall,
  pidfd: number,
  output: Output,
  sync: number,
  timeoutMs: number | null,
): boolean {
  const deadline = timeoutMs === null ? null : sys.monotonicMs() + timeoutMs;
  for (;;) {
    const leftMs = deadline === null ? null : Math.max(0, deadline - sys.monotonicMs());
    const { ended, readable, hungUp } = sys.pollSpawned(pidfd, output.fd, sync, leftMs);
    if (ended) return true;
    if (hungUp) throw new Error('the parent is gone');
    if (leftMs === 0) return false;
    if (readable) output.read();
  }
}

/** The pipe that a hook prints into, read along so that the hook never waits for room in it. */
class Output {
  kept: Uint8Array = new Uint8Array();
  readonly #sys: Syscall;
  readonly #reader: number;
  #atEnd = false;

  constructor(sys: Syscall, reader: number) {
    this.#sys = sys;
    this.#reader = reader;
  }

  /** -1 once nothing can come any more; poll(2) leaves that out. */
  get fd(): number {
    return this.#atEnd ? -1 : this.#reader;
  }

  /** @returns whether there was anything */
  read(): boolean {
    const more = this.#sys.readAvailable(this.#reader, 'the output of a hook');
    this.#atEnd = more === undefined;
    if (more === undefined || more.length === 0) return false;
    this.kept = keepEnd(this.kept, more);
    return true;
  }

  /** As far as it is there: something that the hook left running may hold the pipe, and print on. */
  readTheRest(): void {
    for (let reads = 0; reads < lastReads && !this.#atEnd; reads++) if (!this.read()) return;
  }
}

/** One read takes more than a pipe holds. */
const lastReads = 4;

const endOf = (status: SpawnedEnd): HookEnd =>
  'code' in status
    ? { kind: 'exited', code: status.code }
    : { kind: 'signaled', signal: status.signal };
