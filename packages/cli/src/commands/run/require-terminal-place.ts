import type { Host } from '../../context.ts';
import { TerminalError } from '../../errors.ts';
import type { RunFlags } from './command.ts';
import { type DetachedOptions, needsMonitor } from './detached-options.ts';

/** Throws TerminalError where a terminal is wanted and has no place, or has one and is not wanted; as runc does. */
export function requireTerminalPlace(
  host: Pick<Host, 'isTerminal'>,
  { detach, consoleSocket }: Pick<RunFlags, 'detach' | 'consoleSocket'>,
  terminal: boolean,
  options: DetachedOptions = {},
): void {
  const hasMonitor = needsMonitor(options);
  if (detach && terminal && consoleSocket === undefined && !hasMonitor) {
    throw new TerminalError(
      'run: process.terminal is true and nobody would hold the terminal of a detached program',
      'Give --console-socket, have a monitor hold it with --log-driver or --restart, or set process.terminal to false.',
    );
  }
  if (consoleSocket !== undefined && hasMonitor) {
    throw new TerminalError(
      'run: --console-socket takes the terminal away from the monitor, which --log-driver and --restart need',
      'Leave --console-socket away: the monitor holds the terminal. Or leave the other two away.',
    );
  }
  if (consoleSocket !== undefined && !(detach && terminal)) {
    throw new TerminalError(
      'run: --console-socket is only for a detached program that wants a terminal',
      'Add --detach and set process.terminal to true, or leave --console-socket away.',
    );
  }
  if (!detach && terminal && !host.isTerminal(0)) {
    throw new TerminalError(
      'run: process.terminal is true and standard input is no terminal',
      'Run it from a terminal, set process.terminal to false, or use --detach with --console-socket.',
    );
  }
}
