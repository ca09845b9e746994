import { encodePacket } from '@pilotlight/sync';
import { describe, expect, it } from 'vitest';
import { runChild } from '../child/run-child.ts';
import { stages } from '../child/stages.ts';
import type { OciSpec } from '../config/oci-spec.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import { planLaunch } from '../plan/plan-launch.ts';
import { createRecordingSyscall, RecordedExit } from '../syscall/recording.ts';
import { explain } from './explain.ts';
import type { ExplainedStep } from './explained-step.ts';
import { kernelNames } from './kernel-names.ts';
import { renderExplanation } from './render-explanation.ts';
import { hasSentence } from './stage-sentences.ts';

function specWith(change: (spec: OciSpec) => void = () => {}): OciSpec {
  const spec = stockSpec();
  spec.process.terminal = false;
  change(spec);
  return spec;
}

const explained = (
  change?: (spec: OciSpec) => void,
  options?: Parameters<typeof explain>[1],
): ExplainedStep[] => explain({ id: 'demo', spec: specWith(change), bundle: '/bundle' }, options);

describe('explain', () => {
  it('explain names the steps of the stock bundle in the order in which they are taken', () => {
    const steps = explained();
    const names: string[] = [];
    for (const { actor, step } of steps) {
      const name = `${actor}: ${step}`;
      if (names.at(-1) !== name) names.push(name);
    }
    // How many cgroups there are depends on this host.
    expect(names.filter((name) => !name.includes('enter cgroup'))).toEqual([
      'parent: plan',
      'parent: cgroup',
      'zygote: fork',
      'parent: config',
      'child: descriptors',
      'child: config',
      'child: session',
      'child: user namespace',
      'child: keyring',
      'child: cgroup namespace',
      'child: network',
      'child: rootfs',
      'child: mounts',
      'child: devices',
      'child: hooks',
      'parent: hooks',
      'child: pivot',
      'child: make working directory',
      'child: streams',
      'child: read-only root',
      'child: hostname',
      'child: read-only paths',
      'child: masked paths',
      'child: limits',
      'child: ready',
      'parent: ready',
      'child: working directory',
      'child: credentials',
      'child: exec',
      'parent: end',
    ]);
  });

  it('explain gives each mount its field, its sentence and its calls', () => {
    const steps = explained().filter(({ step }) => step === 'mounts');
    expect(steps.slice(0, 2)).toEqual([
      {
        actor: 'child',
        step: 'mounts',
        what: 'Mount proc at /proc.',
        field: 'mounts[0]',
        calls: [
          'fsopen',
          'fsconfig',
          'fsconfig',
          'fsmount',
          'close',
          'openat2',
          'move_mount',
          'close',
          'close',
        ],
      },
      expect.objectContaining({ what: 'Mount tmpfs at /dev.', field: 'mounts[1]' }),
    ]);
    expect(steps.map(({ field }) => field)).toContain('mounts[6]');
  });

  it('explain names exactly the calls that the child makes, whatever the configuration', () => {
    for (const change of [
      () => {},
      (spec: OciSpec) => {
        spec.process.user = { uid: 1000, gid: 1000, additionalGids: [5] };
        spec.process.oomScoreAdj = 100;
        spec.domainname = 'example';
        spec.linux!.maskedPaths = ['/proc/kcore'];
        spec.mounts!.push({ destination: '/data', source: '/srv', options: ['rbind', 'ro'] });
      },
    ]) {
      const spec = specWith(change);
      const { init } = planLaunch({ id: 'demo', spec, bundle: '/bundle' });
      const sys = createRecordingSyscall({
        config: new TextEncoder().encode(JSON.stringify(init)),
        packets: (['procHooksDone', 'procRun'] as const).map((type) =>
          encodePacket({ type, flags: 0 }),
        ),
        files: ['/usr/local/sbin/sh', '/proc/kcore', '/proc/keys', '/proc/latency_stats']
          .concat(['/proc/timer_list', '/proc/timer_stats', '/proc/sched_debug'])
          .concat('/proc/sysrq-trigger'),
      });
      const fds = { stdin: 20, stdout: 21, stderr: 22, init: 23, sync: 24 };
      expect(() => runChild(sys, fds)).toThrow(RecordedExit);
      const made = sys.calls.map(({ name }) => name).filter((name) => name !== 'exit');
      const told = explained(change).filter(({ actor }) => actor === 'child');
      expect(told.flatMap(({ calls }) => calls ?? [])).toEqual(
        made.flatMap((name) => kernelNames(name)),
      );
    }
  });

  it('explain leaves out what the configuration does not ask for', () => {
    const steps = explained((spec) => {
      delete spec.hostname;
      spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 7, hard: 9 }];
      spec.linux = { namespaces: [{ type: 'mount' }] };
      spec.mounts = [];
    });
    const names = steps.map(({ step }) => step);
    for (const absent of ['cgroup', 'hostname', 'network', 'mounts', 'masked paths']) {
      expect(names).not.toContain(absent);
    }
    expect(steps.find(({ step }) => step === 'fork')?.what).toBe(
      'Fork the child in new namespaces: mount.',
    );
    expect(steps.find(({ step }) => step === 'limits')?.what).toBe('Set RLIMIT_NOFILE to 7 of 9.');
  });

  it('explain tells which hooks are run by whom, and when', () => {
    const steps = explained((spec) => {
      const hooks = [{ path: '/hook' }];
      spec.hooks = {
        createRuntime: hooks,
        createContainer: hooks,
        startContainer: hooks,
        poststart: hooks,
        poststop: hooks,
      };
    }).filter(({ field }) => field?.startsWith('hooks') === true);
    expect(steps.map(({ actor, step, field }) => `${actor} ${step} ${field}`)).toEqual([
      'child hooks hooks',
      'parent createRuntime hooks.createRuntime',
      'child createContainer hooks.createContainer',
      'child startContainer hooks.startContainer',
      'parent poststart hooks.poststart',
      'parent poststop hooks.poststop',
    ]);
    expect(steps[1]?.what).toBe('Run the createRuntime hooks: /hook.');
  });

  it('explain tells of the terminal, and of the limits of the run', () => {
    const steps = explained((spec) => void (spec.process.terminal = true), {
      timeoutMs: 5,
      maxOutputBytes: 6,
      signal: new AbortController().signal,
    });
    expect(steps.find(({ step }) => step === 'streams')?.calls).toContain('ioctl');
    expect(steps.filter(({ step }) => step === 'watch').map(({ field }) => field)).toEqual([
      'options.timeoutMs',
      'options.maxOutputBytes',
      'options.signal',
    ]);
  });

  it('explain refuses what launch refuses', () => {
    const twice = (spec: OciSpec): void => void spec.linux!.namespaces!.push({ type: 'mount' });
    expect(() => explained(twice)).toThrow(InvalidConfigError);
  });

  it('explain has a sentence for every stage of the child', () => {
    const names = ['descriptors', 'config', ...stages.map(({ name }) => name)];
    expect(names.filter((name) => !hasSentence(name))).toEqual([]);
  });
});

describe('renderExplanation', () => {
  it('renderExplanation draws a table, folds repeated calls and escapes what a terminal would obey', () => {
    const text = renderExplanation([
      { actor: 'parent', step: 'plan', what: 'Check.' },
      {
        actor: 'child',
        step: 'mounts',
        what: 'Bind /a\u001b[2J at /b.',
        field: 'mounts[0]',
        calls: ['open_tree', 'close', 'close', 'open_tree'],
      },
    ]);
    expect(text).toBe(
      [
        '1  parent  plan    Check.',
        '2  child   mounts  Bind /a\\u001b[2J at /b.',
        '                   mounts[0]: open_tree, close ×2, open_tree',
        '',
      ].join('\n'),
    );
    expect(renderExplanation([])).toBe('');
  });
});
