import type { LaunchRequest } from '@pilotlight/process-store';
import type { Host } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import type { RunFlags } from './command.ts';
import { parseLog } from './parse-log.ts';
import { parseRestart } from './parse-restart.ts';

/** What the monitor of the store does for a program. */
export type DetachedOptions = Pick<LaunchRequest, 'restart' | 'log'>;

/** Reads the flags that are about a monitor's work. Throws UsageError, LogOptionError. */
export function detachedOptions(
  flags: Pick<RunFlags, 'detach' | 'restart' | 'logDriver' | 'logOpt'>,
  host: Pick<Host, 'env' | 'uid'>,
  id: string,
): DetachedOptions {
  const { detach, restart, logDriver, logOpt = [] } = flags;
  const given = Object.entries({
    '--restart': restart,
    '--log-driver': logDriver,
    '--log-opt': logOpt[0],
  }).find(([, value]) => value !== undefined);
  if (!detach && given !== undefined) {
    throw new UsageError(
      `run: ${given[0]} is only for a detached program`,
      `Add --detach, or leave ${given[0]} away.`,
    );
  }
  if (logDriver === undefined && logOpt.length > 0) {
    throw new UsageError('run: --log-opt needs --log-driver', 'Add --log-driver file or cri.');
  }
  return {
    ...(restart === undefined ? {} : { restart: parseRestart(restart) }),
    ...(logDriver === undefined ? {} : { log: parseLog(logDriver, logOpt, { id, host }) }),
  };
}

/** Whether its streams have to last without us, because a monitor reads them or starts it again. */
export function needsMonitor({ restart, log }: DetachedOptions): boolean {
  return log !== undefined || (restart !== undefined && restart.name !== 'no');
}
