// The exec wrapper as a program: what `pilotlight exec-ext` does, without the command line around it.
import process from 'node:process';
import { messageOf } from '../../src/errors.ts';
import { serveExec } from '../../src/runcext.ts';

const stop = new AbortController();
process.on('SIGTERM', () => stop.abort(new Error('stopped by SIGTERM')));
try {
  await serveExec(process.argv.slice(2), { env: process.env, signal: stop.signal });
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 125;
}
process.removeAllListeners('SIGTERM');
