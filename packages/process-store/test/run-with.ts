import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FdLike, fdNumber } from '@pilotlight/scm-rights';

/** A real program that has started with these descriptors as its streams. */
export interface Running {
  pid: number;
  /** Code or signal. */
  ended: Promise<number | string | null>;
  kill: () => void;
}

/** Runs `sh -c script` with these standard streams. The caller closes its own copies. */
export async function runWith(
  fds: readonly [FdLike, FdLike, FdLike],
  script: string,
): Promise<Running> {
  const child = spawn('sh', ['-c', script], { stdio: fds.map((fd) => fdNumber(fd)) });
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  await once(child, 'spawn');
  return { pid: child.pid!, ended, kill: () => void child.kill('SIGKILL') };
}
