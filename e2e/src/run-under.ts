// The specification that `runIn` would launch, under other runtimes.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BusyboxBundle, type Change, newId, shellSpec } from './init-bundle.ts';

type Result = { code: number; stdout: string; stderr: string };

/** @param wrapper the words of a command that starts runc */
export const runUnderRunc = (
  bundle: BusyboxBundle,
  script: string,
  change?: Change,
  flags: readonly string[] = [],
  wrapper: readonly string[] = [],
): Promise<Result> => runUnder([...wrapper, 'runc'], bundle, shellSpec(script, change), flags);

/** crun does not work beside cgroups of both versions, and raises a limit to make its own. */
export function runUnderCrun(
  bundle: BusyboxBundle,
  script: string,
  change?: Change,
): Promise<Result> {
  const v2Alone = 'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"';
  const wrapper = ['unshare', '--mount', 'sh', '-c', v2Alone, 'sh'];
  const command = [...wrapper, 'crun', '--cgroup-manager=disabled'];
  return runUnder(command, bundle, shellSpec(script, change));
}

function runUnder(
  [program = '', ...before]: readonly string[],
  bundle: BusyboxBundle,
  spec: ReturnType<typeof shellSpec>,
  flags: readonly string[] = [],
): Promise<Result> {
  const config = JSON.stringify(spec, (_, value: unknown) =>
    typeof value === 'bigint' ? Number(value) : value,
  );
  writeFileSync(join(bundle.path, 'config.json'), config);
  const state = join(bundle.path, 'state');
  const args = ['--root', state, 'run', ...flags, '--bundle', bundle.path, newId()];
  return new Promise((resolve) => {
    const child = execFile(program, [...before, ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
    child.stdin?.end();
  });
}
