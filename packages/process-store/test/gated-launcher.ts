import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { decodeWaitStatus, pidfdOpen, pidfdSendSignal } from '@pilotlight/scm-rights';
import { constants } from 'node:os';
import type { Launcher } from '../src/index.ts';

/**
 * A launcher with a real child and no namespaces: a shell that waits for one line on its standard input and leaves with
 * 125 if there is none, which is what a closed gate is to it.
 *
 * The runtime reaps its children by itself, so the status comes a moment after the reaping, unlike from a zygote.
 */
export const gatedLauncher: Launcher = async (config, options) => {
  const [file = '', ...args] = config.spec.process.args;
  const child = spawn('/bin/sh', ['-c', 'read line || exit 125; exec "$0" "$@"', file, ...args], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const pid = child.pid!;
  const owned = pidfdOpen(pid);
  let detached = false;
  const ended = once(child, 'exit').then(([code, signal]) => {
    const number = signal === null ? 0 : constants.signals[signal as NodeJS.Signals];
    return decodeWaitStatus(signal === null ? (code as number) << 8 : number);
  });
  const close = (): void => {
    child.stdin.destroy();
    owned.close();
  };
  return {
    pid,
    pidfd: owned.borrow(),
    cgroupPaths: [],
    async abort() {
      child.stdin.destroy();
      pidfdSendSignal(owned, 'SIGKILL');
      await ended;
      close();
    },
    async run() {
      child.stdin.end('\n');
      if (file === 'no-such-program') {
        await ended;
        close();
        throw new Error('run no-such-program: ENOENT');
      }
      const exited = ended.then(async (status) => {
        if (detached) return status;
        try {
          await options.onExit?.(status);
        } finally {
          close();
        }
        return status;
      });
      exited.catch(() => undefined);
      return {
        pid,
        pidfd: owned.borrow(),
        phases: [],
        stdin: null,
        stdout: null,
        stderr: null,
        exited,
        signal: (signal) => pidfdSendSignal(owned, signal),
        detach() {
          detached = true;
          child.unref();
          close();
        },
      };
    },
  };
};
