import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostRootSpec } from '@pilotlight/init';
import { pidfdOpen, unpin, waitPidfd } from '@pilotlight/scm-rights';
import { expect, test } from 'vitest';
import { isRoot } from '../is-root.ts';
import { Scratch } from '../scratch.ts';
import {
  cgroupMount,
  codeOf,
  forge,
  isRunning,
  Leaks,
  open,
  run,
  short,
  sleeper,
  tierD,
  tiers,
} from './hostile.ts';

const earlier = '00000000-0000-4000-8000-000000000000';

/** Makes all of a root look as if it had been written before the machine was started last. */
function ageRoot(root: string, ...ids: string[]): void {
  for (const id of ids) forge(root, id, 'proc.json', { bootId: earlier });
  const path = join(root, 'meta.json');
  const text = readFileSync(path, 'utf8');
  const { bootId } = JSON.parse(text) as { bootId: string };
  writeFileSync(path, text.replaceAll(bootId, earlier));
}

test.each(tiers)(
  'what ran in an earlier boot has ended in an unknown way, is never signaled, and can be deleted, in tier $tier',
  async ({ options }) => {
    using scratch = new Scratch();
    const leaks = await Leaks.watch();
    let pid: number;
    {
      await using store = await open(scratch.root, options);
      const launched = await store.launch({ ...sleeper, id: 'one' });
      ({ pid } = launched);
      await launched.detach();
      await (await store.launch({ ...short, id: 'ended' })).wait();
    }
    using pidfd = pidfdOpen(pid);
    // After a restart there are neither pins nor mounts.
    unpin(join(scratch.root, 'p', 'one', 'pin'));
    for (const point of scratch.mounts()) run('umount', point);
    ageRoot(scratch.root, 'one', 'ended');
    {
      await using store = await open(scratch.root, options);
      expect(await codeOf(store.signal('one', 'SIGKILL'))).toBe('ERR_STORE_NOT_RUNNING');
      const unknown = { kind: 'unknown', reason: 'reboot', exitedAt: null, started: true };
      expect(await store.load('one')).toMatchObject({ state: 'stopped', exit: unknown });
      expect(await store.wait('one')).toMatchObject(unknown);
      // What was recorded before stays as it was.
      expect(await store.wait('ended')).toMatchObject({ kind: 'exited', code: 7 });
      await store.remove('one', { force: true });
      await store.remove('ended');
      expect(isRunning(pid)).toBe(true);
      // And launches go on, in the tier of before.
      const next = await store.launch({ ...short, id: 'one' });
      expect(await next.wait()).toMatchObject({ kind: 'exited', code: 7 });
      await next.remove();
    }
    process.kill(pid, 'SIGKILL');
    await waitPidfd(pidfd, { until: 'reaped' });
    pidfd.close();
    expect(scratch.mounts()).toEqual([]);
    expect(scratch.files()).toEqual([]);
    expect(leaks.found()).toEqual([]);
  },
);

test.skipIf(!isRoot)('load removes the file where a pin was in an earlier boot', async () => {
  using scratch = new Scratch();
  {
    await using store = await open(scratch.root);
    const launched = await store.launch({ ...short, id: 'one' });
    await launched.detach();
    const pin = join(scratch.root, 'p', 'one', 'pin');
    unpin(pin);
    writeFileSync(pin, '');
    forge(scratch.root, 'one', 'proc.json', { bootId: earlier });
    expect((await store.load('one')).exit).toMatchObject({ kind: 'unknown', reason: 'reboot' });
    expect(existsSync(pin)).toBe(false);
    await store.remove('one');
  }
  expect(scratch.files()).toEqual([]);
});

test.skipIf(!isRoot).each(['spec.json', 'exit.json'])(
  'delete leaves a cgroup alone that has the path of one from an earlier boot, also with force and a damaged %s',
  async (damaged) => {
    using scratch = new Scratch();
    const cgroup = join(cgroupMount(), `store-reboot-${process.pid}-${damaged}`);
    mkdirSync(cgroup);
    const stranger = spawn('sleep', ['1000'], { stdio: 'ignore' });
    writeFileSync(join(cgroup, 'cgroup.procs'), String(stranger.pid));
    {
      await using store = await open(scratch.root, tierD);
      for (const id of ['whole', 'damaged']) {
        await (await store.launch({ ...short, id })).wait();
        forge(scratch.root, id, 'proc.json', { bootId: earlier, cgroupPaths: [cgroup] });
      }
      writeFileSync(join(scratch.root, 'p', 'damaged', damaged), '');
      await store.remove('whole', { force: true });
      await store.remove('damaged', { force: true });
    }
    expect(isRunning(stranger.pid!)).toBe(true);
    expect(existsSync(cgroup)).toBe(true);
    stranger.kill('SIGKILL');
    await once(stranger, 'exit');
    rmdirSync(cgroup);
    expect(scratch.files()).toEqual([]);
  },
);

test.skipIf(!isRoot)(
  'list leaves a cgroup alone that has the path of an abandoned launch and holds processes',
  async () => {
    using scratch = new Scratch();
    const name = `store-abandoned-${process.pid}`;
    const cgroup = join(cgroupMount(), name);
    const spec = hostRootSpec({ args: ['true'] });
    spec.linux = { ...spec.linux, cgroupsPath: `/${name}` };
    mkdirSync(cgroup);
    const stranger = spawn('sleep', ['1000'], { stdio: 'ignore' });
    writeFileSync(join(cgroup, 'cgroup.procs'), String(stranger.pid));
    {
      await using store = await open(scratch.root, tierD);
      const folder = join(scratch.root, 'p', 'x');
      mkdirSync(folder, { mode: 0o700 });
      const createdAt = new Date().toISOString();
      writeFileSync(
        join(folder, 'spec.json'),
        JSON.stringify({ schema: 1, id: 'x', bundle: '/', createdAt, spec }),
      );
      expect(await store.list()).toEqual({ processes: [], problems: [] });
      expect(existsSync(folder)).toBe(false);
    }
    expect(isRunning(stranger.pid!)).toBe(true);
    stranger.kill('SIGKILL');
    await once(stranger, 'exit');
    rmdirSync(cgroup);
    expect(scratch.files()).toEqual([]);
  },
);
