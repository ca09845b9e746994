// Hooks of all six kinds, seen by small scripts, and the same bundle under runc.
import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  hookKinds,
  isLaunchError,
  launch,
  type LaunchError,
  type OciHook,
  type OciHookKind,
  type OciSpec,
  prepareLaunch,
  runPoststopHooks,
} from '@pilotlight/init';
import { beforeEach, describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { missing, newId, runIn, shellSpec } from './init-bundle.ts';

const lacking = missing('root', 'busybox-static');
const lackingRunc = missing('root', 'busybox-static', 'runc');

const namespaces = ['pid', 'mnt', 'net', 'ipc', 'uts', 'cgroup'] as const;

/** Writes one section about where and as whom it runs; busybox has it on the host and in the container. */
const reporter = `#!/bin/busybox sh
B=/bin/busybox
state=$($B cat)
report() {
echo "=== $1"
echo "state $state"
echo "args $*"
echo "cwd $($B readlink /proc/self/cwd)"
echo "umask $(umask)"
for name in Uid Gid Groups CapEff CapPrm CapBnd NoNewPrivs SigBlk SigIgn; do
  $B grep "^$name:" /proc/self/status | $B tr '\\t' ' '
done
echo "environment $($B env | $B grep -v -E '^(SHLVL|PATH|PWD)=' | $B sort | $B tr '\\n' ' ')"
echo "fds $($B ls /proc/self/fd | $B tr '\\n' ' ')"
for name in ${namespaces.join(' ')}; do echo "ns $name $($B readlink /proc/self/ns/$name)"; done
}
# In one write: the program reports beside the poststart hooks.
text=$(report "$@" 2>&1)
echo "$text" >> "$2"
`;

type Section = { kind: string; lines: string[]; state: Record<string, unknown> };

describe.skipIf(lacking !== '')(`hooks${lacking}`, () => {
  const bundle = useCleanBundle();
  const log = (): string => join(bundle.path, 'shared/log');

  beforeEach(() => {
    const shared = join(bundle.path, 'shared');
    rmSync(shared, { recursive: true, force: true });
    mkdirSync(shared);
    writeFileSync(log(), '');
    for (const [path, mode] of [
      [shared, 0o777],
      [log(), 0o666],
    ] as const) {
      chmodSync(path, mode);
    }
    for (const path of [join(bundle.path, 'reporter'), join(bundle.rootfs, 'bin/reporter')]) {
      writeFileSync(path, reporter);
      chmodSync(path, 0o755);
    }
  });

  const isChildKind = (kind: OciHookKind): boolean =>
    kind === 'createContainer' || kind === 'startContainer';
  const isInside = (kind: OciHookKind): boolean => kind === 'startContainer';

  function reporting(kind: OciHookKind, name: string = kind): OciHook {
    const inside = isInside(kind);
    return {
      path: inside ? '/bin/reporter' : join(bundle.path, 'reporter'),
      args: ['zero', name, inside ? '/shared/log' : log(), 'last one'],
      env: [`KIND=${kind}`, 'TWO=a=b'],
      timeout: 30,
    };
  }

  /** What a program that this process starts has open: whoever started us may have left more in it. */
  const fdsOfAnyChild = (): string =>
    execFileSync('/bin/busybox', ['ls', '/proc/self/fd'], { encoding: 'utf8' }).replaceAll(
      '\n',
      ' ',
    );

  /** A line of shell, on the host or in the container. */
  const shell = (script: string, more: Partial<OciHook> = {}): OciHook => ({
    path: '/bin/busybox',
    args: ['sh', '-c', script],
    env: ['PATH=/bin'],
    ...more,
  });

  /** The shared directory is at /shared in the container. */
  function withHooks(spec: OciSpec, hooks: OciSpec['hooks']): void {
    spec.mounts!.push({ destination: '/shared', source: 'shared', options: ['bind'] });
    spec.root.readonly = false;
    spec.hooks = hooks;
  }

  const everyKind = (hooks: (kind: OciHookKind) => OciHook[]): OciSpec['hooks'] =>
    Object.fromEntries(hookKinds.map((kind) => [kind, hooks(kind)]));

  function sections(): Section[] {
    return readFileSync(log(), 'utf8')
      .split(/^=== /m)
      .slice(1)
      .map((text) => {
        const [kind = '', state = '', ...lines] = text.trimEnd().split('\n');
        return {
          kind,
          lines,
          state: JSON.parse(state.slice('state '.length) || '{}') as Record<string, unknown>,
        };
      });
  }

  /** As whom a program of the container runs, for all that compare with it. */
  const asUser = (spec: OciSpec): void => {
    const sets = ['CAP_KILL', 'CAP_NET_RAW'];
    spec.process.user = { uid: 1000, gid: 1001, additionalGids: [5], umask: 0o27 };
    spec.process.capabilities = { bounding: sets, permitted: sets, effective: sets };
    spec.process.cwd = '/tmp';
    spec.annotations = { 'org.example.a': 'b', 'org.example.text': '"ü"\n' };
    withHooks(
      spec,
      everyKind((kind) => [reporting(kind), reporting(kind, `${kind} again`)]),
    );
  };
  /** Reports as the hooks do, then waits for those that run beside it. */
  const program =
    'echo "{}" | /bin/reporter program /shared/log; until grep -q "=== poststart again" /shared/log; do sleep 0.02; done';

  const withoutPoststart = (list: readonly Section[]): Section[] =>
    list.filter(({ kind }) => !kind.startsWith('poststart'));

  it('hooks of every kind run in order, where and as whom the specification says, with the state', async () => {
    const id = newId();
    const process = await launch(
      { id, spec: shellSpec(program, asUser), bundle: bundle.path },
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
    const { pid } = process;
    expect(await process.exited).toMatchObject({ code: 0 });
    const seen = sections();
    expect(withoutPoststart(seen).map(({ kind }) => kind)).toEqual([
      'prestart',
      'prestart again',
      'createRuntime',
      'createRuntime again',
      'createContainer',
      'createContainer again',
      'startContainer',
      'startContainer again',
      'program',
      'poststop',
      'poststop again',
    ]);
    const order = seen.map(({ kind }) => kind);
    expect(order.indexOf('poststart')).toBeGreaterThan(order.indexOf('startContainer again'));
    expect(order.indexOf('poststart again')).toBeLessThan(order.indexOf('poststop'));

    const facts = {
      ociVersion: '1.3.0',
      id,
      bundle: bundle.path,
      annotations: { 'org.example.a': 'b', 'org.example.text': '"ü"\n' },
    };
    const states = {
      prestart: { status: 'creating', pid },
      createRuntime: { status: 'creating', pid },
      createContainer: { status: 'creating', pid: 1 },
      startContainer: { status: 'created', pid: 1 },
      poststart: { status: 'running', pid },
      poststop: { status: 'stopped' },
    };
    for (const { kind, state, lines } of seen) {
      if (kind === 'program') continue;
      const name = kind.replace(' again', '') as OciHookKind;
      expect(state).toEqual({ ...facts, ...states[name] });
      // Nothing of ours is open in it: its streams, and the directory that ls reads.
      expect(lines).toContain(`fds ${isChildKind(name) ? '0 1 2 3 ' : fdsOfAnyChild()}`);
      expect(lines).toContain(`environment KIND=${name} TWO=a=b `);
    }
    expect(
      new Set(seen.flatMap(({ lines }) => lines.filter((line) => line.startsWith('SigBlk')))),
    ).toEqual(new Set(['SigBlk: 0000000000000000']));
  });

  describe.skipIf(lackingRunc !== '')(`hooks beside runc${lackingRunc}`, () => {
    async function underRunc(id: string): Promise<void> {
      const spec = shellSpec(program, asUser);
      writeFileSync(join(bundle.path, 'config.json'), JSON.stringify(spec));
      const args = ['--root', join(bundle.path, 'state'), 'run', '--bundle', bundle.path, id];
      await new Promise<void>((resolve, reject) => {
        execFile('runc', args, { cwd: '/' }, (error, _, stderr) =>
          error === null ? resolve() : reject(new Error(stderr, { cause: error })),
        ).stdin?.end();
      });
    }

    /** Without what differs from one container to the next; a namespace is the host's or the container's. */
    function normalized(list: readonly Section[]): Record<string, unknown>[] {
      const own = Object.fromEntries(
        namespaces.map((name) => [name, readlinkSync(`/proc/self/ns/${name}`)]),
      );
      return list.map(({ kind, lines, state }) => {
        const { ociVersion: _, id: _id, pid, ...rest } = state;
        return {
          kind,
          state: { ...rest, pid: typeof pid === 'number' && pid > 1 ? 'of the host' : pid },
          lines: lines
            // runc 1.1.5 leaves its sync pipe, its log pipe and its fifo open in createContainer hooks.
            .filter((line) => !line.startsWith('fds '))
            .map((line) => {
              const [, name = '', link] = /^ns (\S+) (.*)$/.exec(line) ?? [];
              return link === undefined
                ? line
                : `ns ${name} ${link === own[name] ? 'of the host' : 'of the container'}`;
            }),
        };
      });
    }

    it('hooks see the same as under runc, but for the moment of poststart', async () => {
      expect((await runIn(bundle, program, asUser)).status.code).toBe(0);
      const ours = sections();
      writeFileSync(log(), '');
      await underRunc(newId());
      const theirs = sections();
      expect(normalized(withoutPoststart(ours))).toEqual(normalized(withoutPoststart(theirs)));

      const poststart = (list: readonly Section[]): Record<string, unknown>[] =>
        normalized(list.filter(({ kind }) => kind.startsWith('poststart')));
      // Up to 1.5 runc runs them before the program, against the specification, and says so: "created".
      expect(poststart(theirs)).toMatchObject([
        { state: { status: 'created' } },
        { state: { status: 'created' } },
      ]);
      expect(poststart(ours)).toMatchObject([
        { state: { status: 'running' } },
        { state: { status: 'running' } },
      ]);
      expect(poststart(ours).map(({ lines }) => lines)).toEqual(
        poststart(theirs).map(({ lines }) => lines),
      );
    });
  });

  async function failureOf(action: () => Promise<unknown>): Promise<unknown> {
    try {
      await action();
    } catch (error) {
      return error;
    }
    throw new Error('it did not fail');
  }

  let marks = 0;
  /** A number of seconds to sleep that no other process of this machine sleeps. */
  const newMark = (): string => `${process.pid}${100_000 + ++marks}`;

  /** Processes of this machine whose command line has `text` in it. */
  const processesWith = (text: string): string[] =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((name) => {
        try {
          return readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').includes(text);
        } catch {
          return false;
        }
      });

  /** Launches with one hook before and one after `hook`, which stops all but poststop. */
  async function launchWithFailing(kind: OciHookKind, hook: OciHook): Promise<LaunchError> {
    const script = `echo program >> /shared/log; sleep 1000`;
    const note = (text: string, at: OciHookKind): OciHook =>
      shell(`echo ${text} >> ${isInside(at) ? '/shared/log' : log()}`);
    const spec = shellSpec(script, (changed) =>
      withHooks(changed, {
        [kind]: [note('first', kind), hook, note('never', kind)],
        poststop: [note('poststop', 'poststop')],
      }),
    );
    const error = await failureOf(() =>
      launch({ id: newId(), spec, bundle: bundle.path }, { stdio: ['ignore', 'ignore', 'ignore'] }),
    );
    if (!isLaunchError(error)) throw error;
    return error;
  }

  const failingKinds = hookKinds.filter((kind) => kind !== 'poststop');
  const expectedLog = (kind: OciHookKind, text: string): void => {
    const lines = text.trimEnd().split('\n');
    // What a poststart hook fails beside has begun, and may have said so.
    expect(lines.filter((line) => line !== 'program')).toEqual(['first', 'poststop']);
    if (kind !== 'poststart') expect(lines).not.toContain('program');
  };

  it.each(failingKinds)(
    'launch fails with a %s hook that fails, and undoes everything',
    async (kind) => {
      const error = await launchWithFailing(
        kind,
        shell('echo from stdout; echo "from \u001b[1m stderr" >&2; exit 3'),
      );
      expect(error).toMatchObject({ step: kind, index: 1, path: '/bin/busybox' });
      expect(error.message).toContain(
        `run hooks.${kind}[1] /bin/busybox: it exited with 3, and said: `,
      );
      expect(error.message).toContain('from stdout');
      expect(error.message).toContain('from \uFFFD[1m stderr');
      expect(error.hint).toBeDefined();
      expectedLog(kind, readFileSync(log(), 'utf8'));
    },
  );

  it.each(failingKinds)(
    'launch kills a %s hook that hangs, and undoes everything',
    async (kind) => {
      const mark = newMark();
      const error = await launchWithFailing(
        kind,
        shell(`echo waiting; sleep ${mark}; true`, { timeout: 1 }),
      );
      expect(error).toMatchObject({ step: kind, index: 1 });
      expect(error.message).toContain(
        'it ran past its timeout of 1 s and was killed, and said: waiting',
      );
      expectedLog(kind, readFileSync(log(), 'utf8'));
      expect(processesWith(mark)).toEqual([]);
    },
  );

  it.each(failingKinds)('launch names the program of a %s hook that is not there', async (kind) => {
    const error = await launchWithFailing(kind, { path: '/does/not/exist' });
    expect(error).toMatchObject({
      step: kind,
      index: 1,
      path: '/does/not/exist',
      errno: -2,
      errnoCode: 'ENOENT',
    });
    expectedLog(kind, readFileSync(log(), 'utf8'));
  });

  it('poststop hooks that fail or hang are warnings, and the rest run', async () => {
    const mark = newMark();
    const warnings: Error[] = [];
    const { status } = await runIn(
      bundle,
      'exit 7',
      (spec) =>
        withHooks(spec, {
          poststop: [
            shell('exit 1'),
            shell(`sleep ${mark}; true`, { timeout: 1 }),
            { path: '/does/not/exist' },
            shell(`echo last >> ${log()}`),
          ],
        }),
      { onWarning: (warning) => void warnings.push(warning) },
    );
    expect(status.code).toBe(7);
    expect(warnings).toMatchObject([
      { step: 'poststop', index: 0 },
      { step: 'poststop', index: 1 },
      { step: 'poststop', index: 2, errnoCode: 'ENOENT' },
    ]);
    expect(readFileSync(log(), 'utf8')).toBe('last\n');
    expect(processesWith(mark)).toEqual([]);
  });

  it('poststop hooks run when the cgroup is gone, also after a launch that failed before its hooks', async () => {
    const id = newId();
    const look = shell(`find /sys/fs/cgroup -name ${id} >> ${log()}; echo done >> ${log()}`);
    const spec = shellSpec('true', (changed) => {
      withHooks(changed, { prestart: [shell(`echo prestart >> ${log()}`)], poststop: [look] });
      changed.mounts!.push({ destination: '/data', source: '/does/not/exist', options: ['bind'] });
    });
    expect(await failureOf(() => launch({ id, spec, bundle: bundle.path }))).toMatchObject({
      step: 'mounts',
    });
    // As under runc.
    expect(readFileSync(log(), 'utf8')).toBe('done\n');
  });

  it('createContainer hooks change what the container sees', async () => {
    const { stdout } = await runIn(
      bundle,
      'cat /data/made/text; grep -c /data/made /proc/self/mountinfo',
      (spec) =>
        withHooks(spec, {
          createContainer: [
            shell(
              'mkdir -p data/made && mount -t tmpfs none data/made && echo hooked > data/made/text',
            ),
          ],
        }),
    );
    expect(stdout).toBe('hooked\n1\n');
    expect(readdirSync(join(bundle.rootfs, 'data/made'))).toEqual([]);
  });

  it('prepareLaunch runs the hooks of create, run those of start, abort only poststop', async () => {
    const lines = (): string[] => readFileSync(log(), 'utf8').split('\n').filter(Boolean);
    const prepare = () =>
      prepareLaunch({
        id: newId(),
        spec: shellSpec('sleep 1000', (spec) =>
          withHooks(
            spec,
            everyKind((kind) => [
              shell(`echo ${kind} >> ${isInside(kind) ? '/shared/log' : log()}`),
            ]),
          ),
        ),
        bundle: bundle.path,
      });
    const create = ['prestart', 'createRuntime', 'createContainer'];
    const first = await prepare();
    expect(lines()).toEqual(create);
    await first.abort();
    expect(lines()).toEqual([...create, 'poststop']);

    writeFileSync(log(), '');
    const second = await prepare();
    expect(lines()).toEqual(create);
    const process = await second.run();
    expect(lines()).toEqual([...create, 'startContainer', 'poststart']);
    await process[Symbol.asyncDispose]();
    expect(lines()).toEqual([...create, 'startContainer', 'poststart', 'poststop']);
  });

  it('launch leaves poststop to a caller who deletes later, and runPoststopHooks does it', async () => {
    const id = newId();
    const spec = shellSpec('true', (changed) =>
      withHooks(changed, { poststop: [reporting('poststop')] }),
    );
    const process = await launch({ id, spec, bundle: bundle.path }, { poststop: 'caller' });
    await process.exited;
    expect(sections()).toEqual([]);
    await runPoststopHooks(spec, { id, bundle: bundle.path });
    expect(sections().map(({ state }) => state)).toEqual([
      { ociVersion: '1.3.0', id, status: 'stopped', bundle: bundle.path },
    ]);
  });

  it.each(
    failingKinds.flatMap((kind) => [[kind, 'its own'] as const, [kind, "the host's"] as const]),
  )('launch can be aborted while a %s hook runs, in %s pid namespace', async (kind, whose) => {
    const own = whose === 'its own';
    const mark = newMark();
    const started = join(bundle.path, 'shared/started');
    const controller = new AbortController();
    const reason = new Error('enough');
    const inside = isInside(kind) ? '/shared/started' : started;
    const spec = shellSpec('exec sleep 1000', (changed) => {
      if (!own) {
        const { namespaces: all } = changed.linux!;
        changed.linux!.namespaces = all!.filter(({ type }) => type !== 'pid');
      }
      withHooks(changed, {
        [kind]: [shell(`echo > ${inside}; sleep ${mark}; true`)],
        poststop: [shell(`echo poststop >> ${log()}`)],
      });
    });
    const failing = failureOf(() =>
      launch({ id: newId(), spec, bundle: bundle.path }, { signal: controller.signal }),
    );
    await expect.poll(() => existsSync(started)).toBe(true);
    controller.abort(reason);
    expect(await failing).toBe(reason);
    expect(processesWith(mark)).toEqual([]);
    expect(readFileSync(log(), 'utf8')).toBe('poststop\n');
  });

  it('hooks need not read a state that is larger than any pipe, and may print more than one holds', async () => {
    const { status } = await runIn(bundle, 'exit 5', (spec) => {
      spec.annotations = { large: 'x'.repeat(1_000_000) };
      withHooks(
        spec,
        everyKind(() => [
          shell('exec <&-; exit 0'),
          shell('head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2'),
          shell('test $(wc -c) -gt 1000000'),
        ]),
      );
    });
    expect(status.code).toBe(5);
  });

  it.each(failingKinds)('launch bounds a %s hook without a timeout by its own', async (kind) => {
    const mark = newMark();
    const spec = shellSpec('sleep 1000', (changed) =>
      withHooks(changed, { [kind]: [shell(`sleep ${mark}; true`)] }),
    );
    const error = await failureOf(() =>
      launch({ id: newId(), spec, bundle: bundle.path }, { launchTimeoutMs: 1000 }),
    );
    expect(isLaunchError(error)).toBe(true);
    expect((error as Error).message).toMatch(
      isChildKind(kind) ? /no progress within 1000 ms/ : /ran past its timeout of 1 s/,
    );
    expect(processesWith(mark)).toEqual([]);
  });

  it('launch gives a hook its own timeout where that is longer than the one of the launch', async () => {
    const { status } = await runIn(
      bundle,
      'exit 8',
      (spec) =>
        withHooks(
          spec,
          Object.fromEntries(
            failingKinds.map((kind) => [kind, [shell('sleep 1.5', { timeout: 60 })]]),
          ),
        ),
      { launchTimeoutMs: 1400 },
    );
    expect(status.code).toBe(8);
  });

  it('launch does not wait for what a hook leaves running', async () => {
    const { status } = await runIn(bundle, 'exit 6', (spec) =>
      withHooks(spec, {
        createRuntime: [shell('sleep 2 & exit 0')],
        startContainer: [shell('sleep 1000 & exit 0')],
      }),
    );
    expect(status.code).toBe(6);
  });
});
