import type { SyscallError } from '@pilotlight/scm-rights';
import { AT_FDCWD, O_WRONLY } from '../syscall/constants.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { attempting } from './step-failure.ts';

/** While /proc is the host's: nothing of a container is trusted here. */
export function writeProcFile(sys: Syscall, path: string, text: string): void {
  const fd = sys.openat2(AT_FDCWD, path, O_WRONLY, 0);
  sys.writeAll(fd, new TextEncoder().encode(text), path);
  sys.close(fd);
}

/** proc_pid_oom_score_adj(5) */
export function setOomScoreAdj(sys: Syscall, value: number): void {
  attempting(`set process.oomScoreAdj to ${value}`, { hint }, () =>
    writeProcFile(sys, '/proc/self/oom_score_adj', String(value)),
  );
}

function hint({ code, syscall }: SyscallError): string | undefined {
  return code === 'EACCES' && syscall === 'write'
    ? 'Without CAP_SYS_RESOURCE it cannot be lower than that of the launching process: ask for more, or leave it away.'
    : undefined;
}
