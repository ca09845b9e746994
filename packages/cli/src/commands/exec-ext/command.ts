import { buildCommand, type Command } from '@stricli/core';
import type { CliContext } from '../../context.ts';

/** Its words are read by its work alone, so that what is wrong with them reaches the parent too. */
export const execExtCommand: Command<CliContext> = buildCommand<{}, [], CliContext>({
  loader: async () => (await import('./impl.ts')).execExt,
  parameters: {},
  docs: {
    brief: "Execute a process for a daemon, as embedshim's wrapper does",
    customUsage: [
      '[--root DIR] [--debug] [--log FILE] [--log-format FORMAT] [--criu FILE] [--systemd-cgroup] [--rootless=BOOL] [--command RUNTIME] exec --process FILE [--console-socket PATH] --detach --pid-file FILE ID',
    ],
    fullDescription: `Takes the place of embedshim-runcext: runs \`RUNTIME exec\`, by default runc's, in a container
and tells the parent, over the socket whose number is in _RUNCEXT_PROC_SYNC_PIPE, the pid of
the process and how it ended if it has before the parent could watch for it.

A flag that would not take effect is refused by name. Every failure kills the process, is sent
to the parent as an error message, and makes the exit code 125.`,
  },
});
