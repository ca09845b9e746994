const QUIET_MS = 1000;

let timer: NodeJS.Timeout | undefined;

/**
 * Gives memory back to the machine once a burst of work is over: what has nothing to do collects no garbage by itself, and
 * keeps it for ever. Needs Node's `--expose-gc`; without it does nothing.
 */
export function shrinkMemoryWhenQuiet(): void {
  const { gc } = globalThis;
  if (gc === undefined) return;
  timer ??= setTimeout(() => {
    timer = undefined;
    // Throws away compiled code as well, and unmaps what is empty.
    gc({ type: 'major', flavor: 'last-resort' });
  }, QUIET_MS).unref();
  timer.refresh();
}
