// On a host with the unified hierarchy alone: a mount namespace in which nothing else is mounted.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BusyboxBundle, makeBundle, missing, newId, shellSpec } from './init-bundle.ts';

const run = promisify(execFile);
const hasV2 = readFileSync('/proc/filesystems', 'utf8').includes('cgroup2');
const needs = missing('root', 'busybox-static');
const lacking = hasV2 ? needs : `${needs} (needs cgroup2)`;

describe.skipIf(lacking !== '')(`launch with cgroup v2 alone${lacking}`, () => {
  let bundle: BusyboxBundle;

  beforeAll(() => {
    bundle = makeBundle();
  });
  afterAll(() => {
    bundle.remove();
  });

  /** Launches from a fresh Node that sees cgroup2 on /sys/fs/cgroup, and returns what it prints. */
  async function launchThere(spec: unknown): Promise<{
    status: { code: number };
    stdout: string;
    cgroups: string[];
    left: boolean;
    phases: string[];
  }> {
    const library = fileURLToPath(import.meta.resolve('@pilotlight/init'));
    const program = join(bundle.path, 'launch.mjs');
    writeFileSync(
      program,
      `import { existsSync } from 'node:fs';
       import { launch } from ${JSON.stringify(library)};
       const launched = await launch(
         { id: ${JSON.stringify(newId())}, spec: ${JSON.stringify(spec)}, bundle: ${JSON.stringify(bundle.path)} },
         { stdio: ['ignore', 'pipe', 'inherit'] },
       );
       let stdout = '';
       for await (const part of launched.stdout) stdout += part;
       const status = await launched.exited;
       console.log(JSON.stringify({
         status, stdout, cgroups: launched.cgroupPaths,
         left: launched.cgroupPaths.some((path) => existsSync(path)),
         phases: launched.phases.map(({ name }) => name),
       }));`,
    );
    const script =
      'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$0" "$1"';
    const { stdout } = await run('unshare', [
      '--mount',
      'sh',
      '-c',
      script,
      process.execPath,
      program,
    ]);
    return JSON.parse(stdout) as Awaited<ReturnType<typeof launchThere>>;
  }

  it('launch starts the program in its cgroup and removes that afterwards', async () => {
    const result = await launchThere(
      shellSpec('cat /proc/self/cgroup; grep cgroup /proc/self/mountinfo; exit 7'),
    );
    expect(result).toMatchObject({ status: { code: 7 }, left: false });
    expect(result.cgroups).toHaveLength(1);
    // It never stood anywhere else.
    expect(result.phases).not.toContain('enter cgroup');
    expect(result.stdout).toContain('0::/\n');
    expect(result.stdout).toMatch(
      / \/ \/sys\/fs\/cgroup ro,nosuid,nodev,noexec.* - cgroup2 cgroup2? /,
    );
  });

  it('launch lets a program on the cgroup deny devices, and allow what is allowed', async () => {
    const sets = ['CAP_MKNOD', 'CAP_DAC_OVERRIDE'];
    const result = await launchThere(
      shellSpec(
        'mknod /dev/disk b 254 0 && echo made; cat /dev/disk 2>&1 | head -c 100; head -c1 /dev/zero | wc -c; echo x > /dev/null && echo null; mknod /dev/kmsg c 1 11; cat /dev/kmsg 2>&1',
        (spec) => {
          spec.process.capabilities = { bounding: sets, permitted: sets, effective: sets };
          spec.process.noNewPrivileges = false;
        },
      ),
    );
    expect(result.stdout).toContain('made\n');
    expect(result.stdout).toMatch(/disk': Operation not permitted/);
    expect(result.stdout).toContain('1\nnull\n');
    expect(result.stdout).toMatch(/kmsg': Operation not permitted/);
  });
});
