// What explain says against what the kernel sees of a real launch, by strace(1).
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { explain, isLaunchError, launch, type OciSpec, prepareLaunch } from '@pilotlight/init';
import { describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { missing, newId, shellSpec } from './init-bundle.ts';

const run = promisify(execFile);
const canTrace = (process.env['PATH'] ?? '')
  .split(':')
  .some((path) => existsSync(join(path, 'strace')));
const lacking = missing('root', 'busybox-static') + (canTrace ? '' : ' (needs strace)');

/** What makes the container; reads, closes and the like depend on the files that are met. */
const traced = [
  'unshare',
  'setns',
  'fsopen',
  'fsconfig',
  'fsmount',
  'open_tree',
  'move_mount',
  'mount_setattr',
  'mount',
  'umount2',
  'pivot_root',
  'mknodat',
  'symlinkat',
  'sethostname',
  'setdomainname',
  'keyctl',
  'setgroups',
  'capset',
  'execve',
];

/** A mask over nothing is left out, which explain cannot know; see its description. */
function withMasksThatExist(spec: OciSpec): OciSpec {
  spec.linux!.maskedPaths = spec.linux!.maskedPaths!.filter((path) => existsSync(path));
  spec.linux!.readonlyPaths = spec.linux!.readonlyPaths!.filter((path) => existsSync(path));
  return spec;
}

describe.skipIf(lacking !== '')(`explain${lacking}`, () => {
  const bundle = useCleanBundle();

  /** The calls of the child, from its fork to its program, as strace tells them. */
  async function tracedCalls(spec: OciSpec): Promise<string[]> {
    const library = fileURLToPath(import.meta.resolve('@pilotlight/init'));
    const program = join(bundle.path, 'traced.mjs');
    const config = { id: newId(), spec, bundle: bundle.path };
    writeFileSync(
      program,
      `import { launch } from ${JSON.stringify(library)};
       const launched = await launch(${JSON.stringify(config)}, { stdio: ['ignore', 'ignore', 'inherit'] });
       await launched.exited;
       console.log(launched.pid);`,
    );
    const log = join(bundle.path, 'trace');
    const trace = ['-ff', '-qq', '-o', log, '-e', `trace=${traced.join(',')}`];
    const { stdout } = await run('strace', [...trace, process.execPath, program]);
    const lines = readFileSync(`${log}.${stdout.trim()}`, 'utf8').split('\n');
    const calls = lines.flatMap((line) => /^(\w+)\(/.exec(line)?.[1] ?? []);
    return calls.slice(0, calls.indexOf('execve') + 1);
  }

  it('explain names the calls that strace sees of the stock bundle', async () => {
    const spec = withMasksThatExist(shellSpec('true'));
    const steps = explain({ id: 'demo', spec, bundle: bundle.path });
    const told = steps
      .filter(({ actor }) => actor === 'child')
      .flatMap(({ calls = [] }) => calls)
      .filter((name) => traced.includes(name));
    expect(told.length).toBeGreaterThan(80);
    expect(await tracedCalls(spec)).toEqual(told);
  });

  it('explain names the steps of the parent that a launch is timed by', async () => {
    const config = { id: newId(), spec: shellSpec('true'), bundle: bundle.path };
    const ofOthers = explain(config)
      .filter(({ actor }) => actor !== 'child')
      .map(({ step }) => step);
    const launched = await launch(config);
    const timed = launched.phases.map(({ name }) => name);
    for (const name of ['plan', 'cgroup', 'fork', 'enter cgroup']) {
      expect([name, ofOthers.includes(name)]).toEqual([name, timed.includes(name)]);
    }
    await launched.exited;
  });

  it('explain changes nothing, and fails where launch refuses', () => {
    const before = readFileSync('/proc/self/mountinfo', 'utf8');
    const config = { id: newId(), spec: shellSpec('true'), bundle: '/does/not/exist' };
    const steps = explain(config);
    expect(steps.some(({ what }) => what.includes('/does/not/exist/rootfs'))).toBe(true);
    const cgroups = steps.filter(({ step }) => step === 'cgroup').map(({ what }) => what);
    for (const what of cgroups) expect(existsSync(what.split(' ').at(-1)!)).toBe(false);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(before);
  });
});

const lackingToLaunch = missing('root', 'busybox-static');

describe.skipIf(lackingToLaunch !== '')(`pilotlight:launch channels${lackingToLaunch}`, () => {
  const bundle = useCleanBundle();
  const names = ['start', 'phase', 'end', 'error', 'abort'];

  async function eventsOf(action: () => Promise<void>): Promise<[string, { id: string }][]> {
    const events: [string, { id: string }][] = [];
    const listen = (event: unknown, channel: string | symbol): void =>
      void events.push([String(channel).split(':')[2]!, event as { id: string }]);
    for (const name of names) subscribe(`pilotlight:launch:${name}`, listen);
    try {
      await action();
    } finally {
      for (const name of names) unsubscribe(`pilotlight:launch:${name}`, listen);
    }
    return events;
  }

  it('a launch tells its start, its phases and its end', async () => {
    const id = newId();
    const config = { id, spec: shellSpec('true'), bundle: bundle.path };
    let pid = 0;
    const events = await eventsOf(async () => {
      const launched = await launch(config);
      pid = launched.pid;
      expect((await launched.ended).reason).toBe('exited');
    });
    expect(events[0]).toEqual(['start', { id }]);
    expect(events.at(-1)).toMatchObject(['end', { id, pid }]);
    const phases = events.slice(1, -1);
    expect(phases.every(([name, event]) => name === 'phase' && event.id === id)).toBe(true);
    expect(phases.at(-1)).toMatchObject(['phase', { name: 'exec', startMs: expect.any(Number) }]);
  });

  it('a launch that fails tells its error, and one that is given up that', async () => {
    const id = newId();
    const failing = await eventsOf(async () => {
      const spec = shellSpec('true', ({ root }) => void (root.path = 'nowhere'));
      await launch({ id, spec, bundle: bundle.path }).catch((error: unknown) => {
        if (!isLaunchError(error)) throw error;
      });
    });
    expect(failing.at(-1)).toMatchObject(['error', { id, error: { step: 'rootfs' } }]);
    const aborted = await eventsOf(async () => {
      const prepared = await prepareLaunch({ id, spec: shellSpec('true'), bundle: bundle.path });
      await prepared.abort();
      await prepared.abort();
    });
    expect(aborted.filter(([name]) => name !== 'phase' && name !== 'start')).toEqual([
      ['abort', { id, phases: expect.any(Array) }],
    ]);
  });
});
