import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BusyboxBundle, type Change, newId, shellSpec } from './init-bundle.ts';

/** runc's exit status and output for the specification that `runIn` would launch; `wrapper` starts it. */
export function runUnderRunc(
  bundle: BusyboxBundle,
  script: string,
  change?: Change,
  flags: readonly string[] = [],
  wrapper: readonly string[] = [],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const config = JSON.stringify(shellSpec(script, change), (_, value: unknown) =>
    typeof value === 'bigint' ? Number(value) : value,
  );
  writeFileSync(join(bundle.path, 'config.json'), config);
  const state = join(bundle.path, 'state');
  const run = ['runc', '--root', state, 'run', ...flags, '--bundle', bundle.path, newId()];
  const [command = '', ...args] = [...wrapper, ...run];
  return new Promise((resolve) => {
    const child = execFile(command, args, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
    child.stdin?.end();
  });
}
