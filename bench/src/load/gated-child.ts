import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import type { Launcher } from '@pilotlight/process-store';
import { decodeWaitStatus, pidfdOpen, pidfdSendSignal } from '@pilotlight/scm-rights';

/**
 * A launcher with a real child and neither namespaces nor cgroup, because supervision is what is measured: a shell that waits
 * for one line on its standard input, and executes the program then.
 */
export const gatedChild: Launcher = async (config) => {
  const [file = '', ...args] = config.spec.process.args;
  const child = spawn('/bin/sh', ['-c', 'read line || exit 125; exec "$0" "$@"', file, ...args], {
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
  });
  const exited = once(child, 'exit').then(([code, signal]) =>
    decodeWaitStatus(
      signal === null ? (code as number) << 8 : constants.signals[signal as NodeJS.Signals],
    ),
  );
  const pid = child.pid!;
  const pidfd = pidfdOpen(pid);
  return {
    pid,
    pidfd: pidfd.borrow(),
    cgroupPaths: [],
    async abort() {
      pidfdSendSignal(pidfd, 'SIGKILL');
      await exited;
      pidfd.close();
    },
    async run() {
      child.stdin.end('\n');
      return {
        pid,
        pidfd: pidfd.borrow(),
        phases: [],
        stdin: null,
        stdout: null,
        stderr: null,
        exited,
        signal: (signal) => pidfdSendSignal(pidfd, signal),
        detach() {
          child.unref();
          pidfd.close();
        },
      };
    },
  };
};
