// The systemd driver against a real message bus. On the other side is a stand-in for systemd that does with
// cgroups what systemd does: no systemd runs where these tests run.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { type EventEmitter, once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launch, LaunchError, type LaunchedProcess, readHierarchies } from '@pilotlight/init';
import {
  connectStream,
  pidfdOpen,
  pidfdSendSignal,
  pidfdState,
  type UnixStream,
} from '@pilotlight/scm-rights';
import { createClient, type Message, type MessageBus, toPlain } from 'dbus-native';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { type Change, missing, newId, shellSpec, textOf } from './init-bundle.ts';

const hasDaemon = spawnSync('dbus-daemon', ['--version']).status === 0;
const needs = missing('root', 'busybox-static');
const lacking = hasDaemon ? needs : `${needs} (needs dbus-daemon)`;

const METHOD_CALL = 1;
const METHOD_RETURN = 2;
const ERROR = 3;
const SIGNAL = 4;
const unitExists = 'org.freedesktop.systemd1.UnitExists';

const hierarchies = readHierarchies();
/** Where systemd keeps its own tree: in its named hierarchy, and in v2. */
const ofSystemd = hierarchies
  .filter(({ version, controllers }) => version === 2 || controllers === 'name=systemd')
  .map(({ mountpoint }) => mountpoint);

type Call = { member: string; body: unknown[] };

/** Answers as org.freedesktop.systemd1, makes scopes, and remembers what it was asked. */
class StandIn {
  readonly calls: Call[] = [];
  /** What the next job ends with. */
  result = 'done';
  /** An error in place of the answer to the next call of this method. */
  refusal: { member: string; errorName: string } | undefined;
  /** Whether the end of a job is told before its number. */
  early = false;
  readonly #bus: MessageBus;
  readonly #stream: UnixStream;
  readonly #made: string[] = [];
  #serial = 1000;
  #jobs = 0;

  private constructor(bus: MessageBus, stream: UnixStream) {
    this.#bus = bus;
    this.#stream = stream;
  }

  static async connect(socket: string): Promise<StandIn> {
    const stream = await connectStream(socket, { plainFds: true });
    const bus = createClient({ stream });
    while (typeof bus.name !== 'string') await once(bus.connection as never, 'message');
    const standIn = new StandIn(bus, stream);
    await bus.requestName('org.freedesktop.systemd1', 0);
    // The client would answer what it has no handler for.
    (bus.connection as unknown as EventEmitter).removeAllListeners('message');
    bus.connection.on('message', (message: Message) => {
      if (message.type === METHOD_CALL) standIn.#answer(message);
    });
    return standIn;
  }

  /** The properties that the last scope was asked for with. */
  properties(): Record<string, unknown> {
    const start = this.calls.findLast(({ member }) => member === 'StartTransientUnit');
    return Object.fromEntries(
      ((start?.body[2] ?? []) as [string, unknown][]).map(([name, value]) => [
        name,
        toPlain(value),
      ]),
    );
  }

  members(): string[] {
    return this.calls.map(({ member }) => member);
  }

  #answer(message: Message): void {
    const { member = '', body = [] } = message;
    this.calls.push({ member, body: body });
    if (this.refusal?.member === member) {
      const { errorName } = this.refusal;
      this.refusal = undefined;
      return this.#refuse(message, errorName);
    }
    switch (member) {
      case 'StartTransientUnit':
        if (this.#processesOf(String(body[0])).length > 0) return this.#refuse(message, unitExists);
        if (this.result === 'done') this.#makeScope(String(body[0]));
        this.#job(message, String(body[0]));
        return;
      case 'StopUnit':
        for (const pid of this.#processesOf(String(body[0]))) {
          using pidfd = pidfdOpen(pid);
          pidfdSendSignal(pidfd, 'SIGKILL');
        }
        this.#job(message, String(body[0]));
        return;
      case 'GetUnit':
        this.#reply(message, 'o', ['/org/freedesktop/systemd1/unit/demo']);
        return;
      case 'Get':
        this.#reply(message, 'v', [['s', body[1] === 'Version' ? '255.4-1' : this.#made.at(-1)]]);
        return;
      default:
        this.#reply(message, '', []);
    }
  }

  #refuse(to: Message, errorName: string): void {
    this.#send({ type: ERROR, to, errorName, signature: 's', body: ['as the test wants it'] });
  }

  #processesOf(unit: string): number[] {
    return this.#made
      .filter((group) => group.endsWith(`/${unit}`))
      .map((group) => join(ofSystemd[0]!, group, 'cgroup.procs'))
      .filter((file) => existsSync(file))
      .flatMap((file) => readFileSync(file, 'utf8').match(/\d+/g) ?? [])
      .map(Number);
  }

  #makeScope(unit: string): void {
    const properties = this.properties();
    const slice = String(properties['Slice']);
    const group = `/${slice}/${unit}`;
    this.#made.push(group);
    for (const mountpoint of ofSystemd) {
      mkdirSync(join(mountpoint, group), { recursive: true });
      for (const pid of properties['PIDs'] as number[]) {
        writeFileSync(join(mountpoint, group, 'cgroup.procs'), String(pid));
      }
    }
  }

  #job(message: Message, unit: string): void {
    const job = `/org/freedesktop/systemd1/job/${++this.#jobs}`;
    const removed = (): void =>
      this.#send({
        type: SIGNAL,
        path: '/org/freedesktop/systemd1',
        interface: 'org.freedesktop.systemd1.Manager',
        member: 'JobRemoved',
        signature: 'uoss',
        body: [this.#jobs, job, unit, this.result],
      });
    if (this.early) removed();
    this.#reply(message, 'o', [job]);
    if (!this.early) removed();
  }

  #reply(to: Message, signature: string, body: unknown[]): void {
    this.#send({ type: METHOD_RETURN, to, signature, body });
  }

  #send({
    to,
    signature,
    body,
    ...rest
  }: { type: number; to?: Message; signature: string; body: unknown[] } & Record<
    string,
    unknown
  >): void {
    this.#bus.connection.message({
      serial: (this.#serial += 1),
      ...rest,
      ...(to === undefined ? {} : { replySerial: to.serial, destination: to.sender }),
      ...(signature === '' ? {} : { signature, body }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stream.destroy();
    if (!this.#stream.closed) await once(this.#stream, 'close');
  }
}

describe.skipIf(lacking !== '')(`launch with the systemd driver${lacking}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'init-systemd-'));
  const socket = join(dir, 'bus');
  const bundle = useCleanBundle();
  const address = process.env['DBUS_SYSTEM_BUS_ADDRESS'];
  let daemon: ChildProcess;
  let systemd: StandIn;
  /** Slices that were there: others are made by these tests, and removed. */
  const sliceDirectories = (): string[] =>
    hierarchies.flatMap(({ mountpoint }) =>
      readdirSync(mountpoint)
        .filter((name) => name.endsWith('.slice'))
        .map((name) => join(mountpoint, name)),
    );
  const before = sliceDirectories();

  beforeAll(async () => {
    daemon = await startDaemon(dir, socket);
    process.env['DBUS_SYSTEM_BUS_ADDRESS'] = `unix:path=${socket}`;
    // Whatever the driver loads when it is asked for.
    systemd = await StandIn.connect(socket);
    await (
      await start('true')
    ).exited;
    await systemd[Symbol.asyncDispose]();
  });

  afterAll(async () => {
    if (address === undefined) delete process.env['DBUS_SYSTEM_BUS_ADDRESS'];
    else process.env['DBUS_SYSTEM_BUS_ADDRESS'] = address;
    await stopDaemon(daemon);
    rmSync(dir, { recursive: true });
    for (const path of sliceDirectories()) if (!before.includes(path)) rmdirSync(path);
  });

  beforeEach(async () => {
    systemd = await StandIn.connect(socket);
    bundle.keepWhatIsThere();
  });
  afterEach(async () => {
    process.env['DBUS_SYSTEM_BUS_ADDRESS'] = `unix:path=${socket}`;
    // After the check for what is left, which counts its descriptor as there.
    await systemd[Symbol.asyncDispose]();
  });

  function start(script: string, change?: Change, id = newId()): Promise<LaunchedProcess> {
    return launch(
      { id, spec: shellSpec(script, change), bundle: bundle.path, cgroupManager: 'systemd' },
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
  }

  it('launch has systemd make a scope around the process, and stops it in the end', async () => {
    const id = newId();
    const process = await start(
      'cat /proc/self/cgroup',
      (spec) => {
        // Without a cgroup namespace it sees the whole path.
        const linux = spec.linux!;
        linux.namespaces = linux.namespaces!.filter(({ type }) => type !== 'cgroup');
        linux.cgroupsPath = `system.slice:test:${id}`;
        linux.resources = {
          ...linux.resources,
          pids: { limit: 44 },
          memory: { limit: 64 * 1024 * 1024 },
          cpu: { quota: 50_000 },
        };
      },
      id,
    );
    const unit = `test-${id}.scope`;
    expect(process.cgroupPaths.every((path) => path.endsWith(`/system.slice/${unit}`))).toBe(true);
    const stdout = await textOf(process.stdout);
    await process.exited;
    // In every hierarchy, also where systemd itself has no part.
    const lines = stdout.trim().split('\n');
    expect(lines.every((line) => line.endsWith(`:/system.slice/${unit}`))).toBe(true);
    expect(lines.length).toBeGreaterThanOrEqual(hierarchies.length);
    expect(systemd.properties()).toMatchObject({
      Slice: 'system.slice',
      PIDs: [process.pid],
      Delegate: true,
      DefaultDependencies: false,
      DevicePolicy: 'strict',
    });
    expect(Number(systemd.properties()['TasksMax'])).toBe(44);
    expect(Number(systemd.properties()['CPUQuotaPerSecUSec'])).toBe(500_000);
    expect(systemd.members()).toEqual([
      'Subscribe',
      'Get',
      'StartTransientUnit',
      'GetUnit',
      'Get',
      'Subscribe',
      'Get',
      'StopUnit',
      'ResetFailedUnit',
    ]);
    expect(process.cgroupPaths.some((path) => existsSync(path))).toBe(false);
  });

  it('launch writes the limits that systemd has no word for', async () => {
    const process = await start('read line < /dev/zero', ({ linux }) => {
      linux!.resources = {
        ...linux!.resources,
        pids: { limit: 33 },
        memory: { reservation: 4096 },
      };
    });
    const read = (name: string): string =>
      process.cgroupPaths
        .map((path) => join(path, name))
        .filter((file) => existsSync(file))
        .map((file) => readFileSync(file, 'utf8'))
        .join('');
    expect(read('pids.max')).toBe('33\n');
    expect(read('memory.soft_limit_in_bytes') + read('memory.low')).toBe('4096\n');
    process.signal('SIGKILL');
    await textOf(process.stdout);
    await process.exited;
  });

  it('launch hears of a job that has ended before its number is known', async () => {
    systemd.early = true;
    const process = await start('true');
    await textOf(process.stdout);
    expect(await process.exited).toMatchObject({ code: 0 });
  });

  it('launch starts a unit again that had failed', async () => {
    systemd.refusal = {
      member: 'StartTransientUnit',
      errorName: unitExists,
    };
    const process = await start('true');
    await textOf(process.stdout);
    expect(await process.exited).toMatchObject({ code: 0 });
    expect(systemd.members().slice(2, 5)).toEqual([
      'StartTransientUnit',
      'ResetFailedUnit',
      'StartTransientUnit',
    ]);
  });

  it('a launch into the scope of another container fails, and does it no harm', async () => {
    const cgroupsPath = `system.slice:test:${newId()}`;
    const change: Change = ({ linux }) => {
      linux!.cgroupsPath = cgroupsPath;
      // Without one of its own, its processes are found by their cgroup.
      linux!.namespaces = linux!.namespaces!.filter(({ type }) => type !== 'pid');
    };
    const process = await start('while :; do sleep 1; done', change);
    await expect(start('true', change)).rejects.toMatchObject({
      step: 'cgroup',
      message: expect.stringContaining('UnitExists'),
    });
    expect(systemd.members()).not.toContain('StopUnit');
    expect(pidfdState(process.pidfd)).toBe('running');
    expect(process.cgroupPaths.filter((path) => !existsSync(path))).toEqual([]);
    process.signal('SIGKILL');
    await process.exited;
  });

  it.each<[name: string, prepare: () => void, message: RegExp, hint: RegExp]>([
    [
      'a job that fails',
      () => void (systemd.result = 'failed'),
      /ended with "failed"/,
      /journal|systemd/,
    ],
    [
      'a refusal',
      () =>
        void (systemd.refusal = {
          member: 'StartTransientUnit',
          errorName: 'org.freedesktop.DBus.Error.AccessDenied',
        }),
      /AccessDenied/,
      /journal/,
    ],
    [
      'no bus',
      () => void (process.env['DBUS_SYSTEM_BUS_ADDRESS'] = `unix:path=${socket}-missing`),
      /ENOENT/,
      /running systemd.*cgroupfs driver/,
    ],
  ])(
    'launch says why there is no scope and leaves nothing: %s',
    async (_, prepare, message, hint) => {
      prepare();
      const failure: unknown = await start('true').catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(LaunchError);
      expect(failure).toMatchObject({ step: 'cgroup', hint: expect.stringMatching(hint) });
      expect((failure as Error).message).toMatch(message);
    },
  );
});

async function startDaemon(dir: string, socket: string): Promise<ChildProcess> {
  const config = join(dir, 'bus.conf');
  writeFileSync(
    config,
    `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
       "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
     <busconfig>
       <listen>unix:path=${socket}</listen>
       <auth>EXTERNAL</auth>
       <policy context="default">
         <allow send_destination="*" eavesdrop="false"/>
         <allow receive_sender="*"/>
         <allow own="*"/>
       </policy>
     </busconfig>`,
  );
  const daemon = spawn(
    'dbus-daemon',
    ['--nofork', '--nopidfile', '--print-address=1', `--config-file=${config}`],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  // It prints its address when it listens.
  const said = await Promise.race([once(daemon.stdout, 'data'), once(daemon, 'exit')]);
  expect(String(said[0])).toMatch(/^unix:/);
  return daemon;
}

async function stopDaemon(daemon: ChildProcess): Promise<void> {
  using pidfd = pidfdOpen(daemon.pid!);
  const ended = once(daemon, 'exit');
  pidfdSendSignal(pidfd, 'SIGTERM');
  await ended;
}
