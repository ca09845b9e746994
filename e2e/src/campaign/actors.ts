import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSyscallError, type OwnedFd, pidfdOpen, waitPidfd } from '@pilotlight/scm-rights';

/** What became of a program of a campaign. */
export interface ActorEnd {
  code: number | null;
  /** Whether we killed it. */
  killed: boolean;
  stderr: string;
}

/** When to send SIGKILL: so many lines of its output and milliseconds after its start. */
export interface KillTime {
  afterReports: number;
  ms: number;
}

/** Runs the programs of a campaign, and holds what they leave behind. */
export class Actors implements Disposable {
  readonly #orphans: OwnedFd[] = [];

  /**
   * Runs a program, hears its lines, and kills it when it is time. With `leavesStreams` one that succeeds leaves its streams to
   * another, which is not waited for.
   */
  async run(
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv,
    onLine: (line: string) => void,
    time: KillTime | undefined,
    leavesStreams = false,
  ): Promise<ActorEnd> {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [lines, stderr, killed] = [0, '', false];
    const kill = async (): Promise<void> => {
      await sleep(time?.ms);
      // By its number only while it is our child and not reaped, which Node looks at.
      if (!isAlive(child)) return;
      this.#orphans.push(...childrenOf(child.pid ?? 0));
      killed = child.kill('SIGKILL');
    };
    if (time?.afterReports === 0) void kill();
    createInterface(child.stdout).on('line', (line) => {
      onLine(line);
      lines += 1;
      if (lines === time?.afterReports) void kill();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text));
    const closed = once(child, 'close');
    const [code] = (await once(child, 'exit')) as [number | null];
    // Its last words, unless it has left its streams to a program that runs.
    if (!leavesStreams || code !== 0) await closed;
    return { code, killed, stderr };
  }

  /** How many children of killed programs are alive after `deadlineMs`: zygotes, keepers. */
  async orphansAfter(deadlineMs: number): Promise<number> {
    const deadline = { signal: AbortSignal.timeout(deadlineMs) };
    const ends = await Promise.allSettled(
      this.#orphans.map((orphan) => waitPidfd(orphan, deadline)),
    );
    return ends.filter(({ status }) => status === 'rejected').length;
  }

  [Symbol.dispose](): void {
    for (const orphan of this.#orphans.splice(0)) orphan.close();
  }
}

function isAlive({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

/** The caller closes them. */
function childrenOf(parent: number): OwnedFd[] {
  const children: OwnedFd[] = [];
  for (const pid of childPids(parent)) {
    try {
      const pidfd = pidfdOpen(pid);
      // Held first and asked again: it is that child, or another has its number.
      if (childPids(parent).includes(pid)) children.push(pidfd);
      else pidfd.close();
    } catch (error) {
      if (!isSyscallError(error, 'ESRCH')) throw error;
    }
  }
  return children;
}

function childPids(parent: number): number[] {
  try {
    return readdirSync(`/proc/${parent}/task`).flatMap((thread) =>
      readFileSync(`/proc/${parent}/task/${thread}/children`, 'utf8')
        .split(' ')
        .filter((pid) => pid !== '')
        .map(Number),
    );
  } catch {
    // It has just died.
    return [];
  }
}
