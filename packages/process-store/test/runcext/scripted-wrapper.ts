// A wrapper that says what it is told: its arguments are texts to write, `read`, or `exit N`.
import { readSync, writeSync } from 'node:fs';
import process from 'node:process';

for (const step of process.argv.slice(2)) {
  if (step === 'read') readSync(3, Buffer.alloc(4096));
  else if (step.startsWith('exit ')) process.exit(Number(step.slice(5)));
  else writeSync(3, step.replace('$PID', String(process.pid)));
}
