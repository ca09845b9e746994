/**
 * Runs a command below a shell that inherits what the command leaves behind, and reaps it at once, as a process 1 does:
 * `node subreaper.ts FIFO COMMAND [ARG...]`. The shell ends when nobody has the fifo open for writing any more.
 */
import { setChildSubreaper } from '@pilotlight/scm-rights';

setChildSubreaper();
// Only the command keeps standard output, so that its end is seen there. In `wait` a shell reaps whatever is its child.
const script = 'fifo=$1; shift; "$@" & exec >/dev/null; cat "$fifo" & wait';
// A subreaper stays one across execve(2).
process.execve!('/bin/sh', ['sh', '-c', script, 'sh', ...process.argv.slice(2)]);
