import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BusyboxBundle, type Change, newId, shellSpec } from './init-bundle.ts';

/** runc's exit status and output for the specification that `runIn` would launch. */
export function runUnderRunc(
  bundle: BusyboxBundle,
  script: string,
  change?: Change,
  flags: readonly string[] = [],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const config = JSON.stringify(shellSpec(script, change), (_, value: unknown) =>
    typeof value === 'bigint' ? Number(value) : value,
  );
  writeFileSync(join(bundle.path, 'config.json'), config);
  const state = join(bundle.path, 'state');
  const args = ['--root', state, 'run', ...flags, '--bundle', bundle.path, newId()];
  return new Promise((resolve) => {
    const child = execFile('runc', args, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
    child.stdin?.end();
  });
}
