// A container whose first process makes a user namespace must not keep an entering process from giving up root's groups.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { missing, newId, shellSpec } from './init-bundle.ts';

const lacking = missing('root', 'busybox-static');
const library = fileURLToPath(import.meta.resolve('@pilotlight/init'));
const built = fileURLToPath(new URL('../dist/index.js', pathToFileURL(library)));
const run = promisify(execFile);

describe.skipIf(lacking !== '')(`exec by a root that has groups${lacking}`, () => {
  const bundle = useCleanBundle();
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'pilotlight-groups-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('exec brings no group of the launcher into a user namespace that forbids setgroups(2)', async () => {
    // busybox's unshare runs its program in its own process and forbids setgroups(2) for the map.
    const hostile = shellSpec('exec unshare -U -r sh -c "echo there; exec sleep 1000"', (spec) => {
      spec.process.user = { uid: 1000, gid: 1000 };
    });
    const container = { id: newId(), spec: hostile, bundle: bundle.path };
    const entering = {
      args: ['sh', '-c', 'grep Groups /proc/self/status'],
      cwd: '/',
      env: ['PATH=/bin'],
    };
    const file = join(directory, 'launcher.mjs');
    // Of a program of its own: a zygote has the groups of the process that starts it.
    writeFileSync(
      file,
      `import { exec, launch } from ${JSON.stringify(built)};
       import { once } from 'node:events';
       process.setgroups([4242, 4343]);
       const container = ${JSON.stringify(container)};
       const first = await launch(container, { stdio: ['ignore', 'pipe', 'inherit'] });
       try {
         await once(first.stdout, 'data');
         const { pidfd, cgroupPaths } = first;
         const entered = await exec(
           { container: { ...container, pidfd, cgroupPaths }, process: ${JSON.stringify(entering)} },
           { stdio: ['ignore', 'pipe', 'inherit'] });
         const { stdout } = await entered.output();
         console.log(stdout);
       } finally {
         await first[Symbol.asyncDispose]();
       }`,
    );
    const { stdout } = await run(process.execPath, [file]);
    expect(stdout.trim()).toBe('Groups:');
  });
});
