// What happens to processes whose supervisor goes away, and when several programs look at one.
import {
  constants,
  existsSync,
  writeSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  mkfifo,
  openFd,
  type OwnedFd,
  pidfdGetfd,
  pidfdOpen,
  pidfdSendSignal,
  receiveFile,
  SeqpacketSocket,
  sendFileBlocking,
  socketpair,
  tryLock,
} from '@pilotlight/scm-rights';
import { countOpenFds } from '@pilotlight/scm-rights/testing';
import { describe, expect, test } from 'vitest';
import {
  loadProcess,
  loadProcesses,
  newProcess,
  readPid,
  type SupervisedProcess,
  type SupervisedStore,
} from '../../src/containerd.ts';
import { waitReaped } from '../../src/supervision/wait-reaped.ts';
import { isRoot } from '../is-root.ts';
import { Fixture, scriptSpec } from './fixture.ts';

describe.skipIf(!isRoot)('loadProcess', { timeout: 60_000 }, () => {
  test('loadProcess restores every handle that a start makes, and the process outlives its supervisor (mistakes 4, 9)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot } = fixture;
    const stdio = fixture.fifos('stdin', 'stdout');
    const script = 'while read line; do echo "got $line"; done; echo end; exit 5';
    const supervisor = await fixture.supervisor(script, stdio);
    // A client, so that the input does not end while nobody supervises.
    const client = fixture.sh(`
      exec 3< "$SCRATCH/stdout" 4> "$SCRATCH/stdin"
      touch "$SCRATCH/connected"
      until [ -e "$SCRATCH/loaded" ]; do sleep 0.01; done
      echo one >&4
      read line <&3; echo "$line"
      exec 4>&-
      echo two > "$SCRATCH/stdin"
      read line <&3; echo "$line"
      printf '0 0 0\\n' > control
      cat < exit
      cat exitStatus
      cat <&3`);
    await fixture.sh('until [ -e "$SCRATCH/connected" ]; do sleep 0.01; done');
    await supervisor.kill();
    await using process = await loadProcess(store, stateRoot, 'box');
    expect(process).toMatchObject({
      supervised: true,
      systemPid: Number(fixture.read('pid')),
      stdio,
    });
    writeFileSync(join(fixture.scratch.path, 'loaded'), '');
    expect(await client).toBe('got one\ngot two\n5end\n');
    expect(await process.exitStatus()).toBe(5);
  });

  test('loadProcess finds an end that came while nobody looked, and writes it down (mistakes 5, 8)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, scratch } = fixture;
    const go = join(scratch.path, 'go');
    mkdirSync(go);
    const stdio = fixture.fifos('stdin');
    const supervisor = await fixture.supervisor('read code; exit $code', stdio);
    const pidfd = pidfdOpen(Number(fixture.read('pid')));
    const client = fixture.sh(
      'exec 4> "$SCRATCH/stdin"; touch "$SCRATCH/open"; until [ -e "$SCRATCH/dead" ]; do sleep 0.01; done; echo 9 >&4',
    );
    await fixture.sh('until [ -e "$SCRATCH/open" ]; do sleep 0.01; done');
    await supervisor.kill();
    writeFileSync(join(scratch.path, 'dead'), '');
    await client;
    await waitReaped(pidfd);
    pidfd.close();
    expect(existsSync(fixture.path('exitStatus'))).toBe(false);
    {
      await using process = await loadProcess(store, stateRoot, 'box');
      expect(await process.waitExit()).toMatchObject({ kind: 'exited', code: 9 });
      expect(await process.exitStatus()).toBe(9);
    }
    expect(fixture.read('exitStatus')).toBe('9');
    // The second time it is read, and nothing is done.
    await using again = await loadProcess(store, stateRoot, 'box');
    expect(again).toMatchObject({ supervised: false, exitFd: undefined });
    expect(await again.waitExit()).toMatchObject({ kind: 'exited', code: 9 });
    await expect(again.signal('SIGTERM')).rejects.toMatchObject({ code: 'ERR_STORE_NOT_RUNNING' });
    await expect(again.closeStdin()).rejects.toMatchObject({ code: 'ERR_STORE_NOT_RUNNING' });
  });

  test('a second program talks to the one that supervises, and takes over when that is killed', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot } = fixture;
    const stdio = fixture.fifos('stdin');
    const supervisor = await fixture.supervisor('cat; sleep 1000', stdio);
    await using process = await loadProcess(store, stateRoot, 'box');
    expect(process.supervised).toBe(false);
    await process.closeStdin();
    await fixture.sh('until [ -e .stdin-closed ]; do sleep 0.01; done');
    // Nobody is left who could be told: only the API says that it has no terminal.
    await process.resize(80, 24);
    await supervisor.kill();
    await expect.poll(() => process.supervised).toBe(true);
    await expect(process.resize(80, 24)).rejects.toMatchObject({ code: 'ERR_STORE_NO_CONSOLE' });
    await process.signal('SIGTERM');
    await process.signal('SIGKILL');
    expect(await process.waitExit()).toMatchObject({ kind: 'signaled', signal: 9 });
    expect(fixture.read('exitStatus')).toBe('137');
  });

  test('loadProcess does not open an input again that was closed (mistakes 4, 16)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, scratch } = fixture;
    const stdio = fixture.fifos('stdin');
    const supervisor = await fixture.supervisor('cat; exit 3', stdio);
    const client = fixture.sh(`
      exec 4> "$SCRATCH/stdin"
      printf '0 0 0\\n' > control
      until [ -e .stdin-closed ]; do sleep 0.01; done
      touch "$SCRATCH/told"
      until [ -e "$SCRATCH/loaded" ]; do sleep 0.01; done
      echo last >&4`);
    await fixture.sh('until [ -e "$SCRATCH/told" ]; do sleep 0.01; done');
    await supervisor.kill();
    await using process = await loadProcess(store, stateRoot, 'box');
    writeFileSync(join(scratch.path, 'loaded'), '');
    await client;
    expect(await process.waitExit()).toMatchObject({ kind: 'exited', code: 3 });
  });

  test('close lets another handle take over, and the process run on', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, bundle } = fixture;
    const first = await newProcess(store, {
      stateRoot,
      container: 'box',
      spec: scriptSpec('sleep 1000'),
      bundle,
    });
    await using second = await loadProcess(store, stateRoot, 'box');
    const waiting = first.waitExit();
    // Rejected while it is being closed.
    waiting.catch(() => undefined);
    await first.close();
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_STORE_PROCESS_CLOSED' });
    await expect(first.signal('SIGKILL')).rejects.toMatchObject({
      code: 'ERR_STORE_PROCESS_CLOSED',
    });
    await expect.poll(() => second.supervised).toBe(true);
    await second.signal('SIGKILL');
    expect(await second.waitExit()).toMatchObject({ signal: 9 });
  });

  test('a pid that is a stranger\u2019s by now is not touched (mistake 6)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot } = fixture;
    makeForeign(fixture, { pid: String(process.pid), starttime: '1' });
    await using loaded = await loadProcess(store, stateRoot, 'box');
    expect(await loaded.waitExit()).toMatchObject({ kind: 'unknown', reason: 'pid-reused' });
    await expect(loaded.exitStatus()).rejects.toMatchObject({
      code: 'ERR_STORE_UNKNOWN_STATUS',
      reason: 'pid-reused',
    });
    // What others understand.
    expect(fixture.read('exitStatus')).toBe('255');
  });

  test('without a start time only a pid that nobody has proves anything (mistake 7)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot } = fixture;
    makeForeign(fixture, { pid: String(process.pid) });
    const before = countOpenFds();
    await expect(loadProcess(store, stateRoot, 'box')).rejects.toMatchObject({
      code: 'ERR_STORE_UNPROVEN',
    });
    expect(countOpenFds()).toBe(before);
    expect(existsSync(fixture.path('exitStatus'))).toBe(false);
    writeFileSync(fixture.path('pid'), '4194304');
    await using loaded = await loadProcess(store, stateRoot, 'box');
    expect(await loaded.waitExit()).toMatchObject({
      kind: 'unknown',
      started: true,
      reason: 'no-holder',
    });
  });

  test('a start that died before anything ran is an unknown end that is written down', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot } = fixture;
    await fixture.supervisor('sleep 1000', {}, 'specified');
    await using loaded = await loadProcess(store, stateRoot, 'box');
    expect(await loaded.waitExit()).toMatchObject({ kind: 'unknown', started: false });
    await loaded.remove();
    expect(readdirSync(stateRoot)).toEqual([]);
  });

  test('loadProcess waits for the pid of a start under way, and takes over when that is given up', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot } = fixture;
    makeForeign(fixture, {});
    const supervisor = tryLock(fixture.path('.lock'), 'exclusive');
    const loading = loadProcess(store, stateRoot, 'box');
    const first = await Promise.race([loading, fixture.shell('sleep 0.1; echo waits')]);
    expect(first).toBe('waits\n');
    supervisor?.close();
    await using loaded = await loading;
    expect(await loaded.waitExit()).toMatchObject({ kind: 'unknown', started: false });
  });

  test('loadProcess adopts a process of another supervisor, proven by its start time', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot } = fixture;
    const pid = Number(
      await fixture.shell('setsid -f sh -c "echo \\$\\$; exec sleep 1000 >/dev/null"'),
    );
    const stat = await fixture.shell(`cat /proc/${pid}/stat`);
    const starttime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!;
    makeForeign(fixture, { pid: String(pid), starttime });
    await using loaded = await loadProcess(store, stateRoot, 'box');
    expect(loaded).toMatchObject({ supervised: true, systemPid: pid });
    await loaded.signal('SIGTERM');
    expect(await loaded.waitExit()).toMatchObject({
      kind: 'signaled',
      signal: 15,
      source: 'pidfd',
    });
    expect(fixture.read('exitStatus')).toBe('143');
  });

  test('255 of another program is both a code and unknown, and never taken for either (mistake 8)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot } = fixture;
    makeForeign(fixture, { exitStatus: '255' });
    await using loaded = await loadProcess(store, stateRoot, 'box');
    await expect(loaded.exitStatus()).rejects.toMatchObject({ reason: 'ambiguous' });
    expect(await loaded.waitExit()).toBeUndefined();
    writeFileSync(fixture.path('exitStatus'), '7');
    expect(await loaded.exitStatus()).toBe(7);
  });

  test('a status of length 0 is none yet, and is replaced by the whole one (mistake 3)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot } = fixture;
    makeForeign(fixture, { exitStatus: '', pid: '4194304', starttime: '1' });
    await using loaded = await loadProcess(store, stateRoot, 'box');
    expect(await loaded.waitExit()).toMatchObject({ kind: 'unknown' });
    expect(fixture.read('exitStatus')).toBe('255');
    expect(readdirSync(fixture.path('.')).filter((name) => name.startsWith('.exit'))).toEqual([]);
  });

  test('an end that was recorded before its status was written is that status (mistake 8)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot } = fixture;
    const observedAt = '2016-01-01T00:00:00.000Z';
    const exit = { schema: 1, id: 'box', started: true, exitedAt: null, observedAt, oom: null };
    const known = { rawStatus: 0x300, code: 3, signal: null, core: false, source: 'parent' };
    makeForeign(fixture, {
      pid: '4194304',
      starttime: '1',
      'exit.json': JSON.stringify({ ...exit, ...known }),
    });
    await using loaded = await loadProcess(store, stateRoot, 'box');
    expect(await loaded.waitExit()).toMatchObject({ kind: 'exited', code: 3 });
    expect(fixture.read('exitStatus')).toBe('3');
  });

  test('loadProcess joins the terminal again where somebody holds its master (mistake 4)', async () => {
    await using fixture = await Fixture.open();
    const store = new MasterHolder(fixture.store);
    const { stateRoot, bundle } = fixture;
    const stdio = fixture.fifos('stdin', 'stdout');
    const script =
      'trap "stty size" WINCH; echo ready; while :; do if read line; then echo "got $line"; fi; done';
    const first = await newProcess(store, {
      stateRoot,
      container: 'box',
      bundle,
      stdio,
      spec: scriptSpec(script, { terminal: true }),
    });
    await first.close();
    await using second = await loadProcess(store, stateRoot, 'box');
    const output = fixture.sh(
      `
      exec 3< "$SCRATCH/stdout"
      line=
      until [ "$line" = "ready\r" ]; do read line <&3; done
      printf '1 90 30\\n' > control
      read line <&3; echo "$line"
      echo one > "$SCRATCH/stdin"
      read echoed <&3
      read line <&3; echo "$line"`,
    );
    expect(await output).toBe('30 90\r\ngot one\r\n');
    await second.signal('SIGKILL');
    expect(await second.waitExit()).toMatchObject({ signal: 9 });
    store.close();
  });

  test('one bad folder is reported and left, and the others are loaded, init last (mistakes 19, 20)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot } = fixture;
    const lost = { pid: '4194304', starttime: '1' };
    for (const id of ['init', 'a', 'z']) makeForeign(fixture, lost, id);
    makeForeign(fixture, lost, 'init', 'bad');
    writeFileSync(join(stateRoot, 'bad', 'init', 'process.json'), '{"args"');
    const { processes, problems } = await loadProcesses(store, stateRoot);
    expect(processes.map(({ id }) => id)).toEqual(['a', 'z', 'init']);
    expect(problems).toMatchObject([
      { container: 'bad', id: 'init', problem: { code: 'ERR_STORE_BAD_RECORD' } },
    ]);
    expect(readdirSync(join(stateRoot, 'bad', 'init')).toSorted()).toEqual([
      'pid',
      'process.json',
      'starttime',
    ]);
    for (const process of processes) {
      await process.waitExit();
      await process.close();
    }
  });

  test('a container whose bundle has vanished is killed, and its end written down (mistake 22)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, bundle } = fixture;
    const supervisor = await fixture.supervisor('sleep 1000');
    await supervisor.kill();
    renameSync(bundle, `${bundle}.gone`);
    await using loaded = await loadProcess(store, stateRoot, 'box');
    expect(await loaded.waitExit()).toMatchObject({ kind: 'signaled', signal: 9 });
    expect(fixture.read('exitStatus')).toBe('137');
    await loaded.remove();
    expect(readdirSync(stateRoot)).toEqual([]);
  });

  test('a supervisor that reads nothing holds up nobody (mistakes 11, 15)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot } = fixture;
    makeForeign(fixture, { pid: '4194304', starttime: '1' });
    mkfifo(fixture.path('control'));
    using supervisor = tryLock(fixture.path('.lock'), 'exclusive');
    using control = openFd(fixture.path('control'), constants.O_RDWR | constants.O_NONBLOCK);
    expect(() => {
      for (;;) writeSync(control.fd, Buffer.alloc(4096));
    }).toThrow('EAGAIN');
    const loaded = await loadProcess(store, stateRoot, 'box');
    await expect(loaded.resize(80, 24)).rejects.toMatchObject({ code: 'ERR_STORE_CONTROL_FIFO' });
    await expect(loaded.closeStdin()).rejects.toMatchObject({ code: 'ERR_STORE_CONTROL_FIFO' });
    const waiting = loaded.waitExit({ signal: AbortSignal.timeout(10) });
    await expect(waiting).rejects.toMatchObject({ name: 'TimeoutError' });
    await loaded.close();
    expect(supervisor?.closed).toBe(false);
  });

  test('a loader that fails, or is closed, leaves no descriptor', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot } = fixture;
    makeForeign(fixture, { pid: '4194304', starttime: '1' });
    const before = countOpenFds();
    {
      await using loaded = await loadProcess(store, stateRoot, 'box');
      await loaded.waitExit();
    }
    expect(countOpenFds()).toBe(before);
    await expect(loadProcess(store, stateRoot, 'box', 'none')).rejects.toMatchObject({
      code: 'ERR_STORE_NOT_FOUND',
    });
    rmSync(fixture.path('exitStatus'));
    writeFileSync(fixture.path('exit.json'), '{');
    const broken = await loadProcess(store, stateRoot, 'box');
    await expect(broken.waitExit()).rejects.toMatchObject({ code: 'ERR_STORE_BAD_RECORD' });
    await broken.close();
    expect(countOpenFds()).toBe(before);
  });
});

test('readPid takes an empty file for not yet, and does not wait for a launcher that has died (mistakes 1, 2)', async () => {
  await using fixture = await Fixture.open();
  const path = join(fixture.scratch.path, 'pid');
  writeFileSync(path, '');
  const reading = readPid(path);
  await fixture.shell(`sleep 0.05; printf 1 > '${path}.new'; mv '${path}.new' '${path}'`);
  expect(await reading).toBe(1);
  writeFileSync(path, '12 ');
  await expect(readPid(path, { deadlineMs: 0 })).rejects.toMatchObject({
    code: 'ERR_STORE_PID_FILE',
  });
  const pid = Number(
    await fixture.shell('setsid -f sh -c "echo \\$\\$; exec sleep 1000 >/dev/null"'),
  );
  using launcher = pidfdOpen(pid);
  const waiting = readPid(path, { deadlineMs: Infinity, launcher });
  pidfdSendSignal(launcher, 'SIGKILL');
  await expect(waiting).rejects.toThrow('whoever was to write it has ended');
  const aborted = readPid(path, { deadlineMs: Infinity, signal: AbortSignal.abort('enough') });
  await expect(aborted).rejects.toBe('enough');
});

/** A store beside somebody who keeps the masters of terminals, as a monitor does. */
class MasterHolder implements SupervisedStore {
  readonly #store: SupervisedStore;
  readonly #masters: OwnedFd[] = [];

  constructor(store: SupervisedStore) {
    this.#store = store;
  }

  async launch(request: Parameters<SupervisedStore['launch']>[0]): Promise<SupervisedProcess> {
    const [ours, theirs] = socketpair('seqpacket');
    const socket = new SeqpacketSocket(ours);
    const launched = await this.#store.launch({ ...request, consoleSocket: theirs });
    const { name, fd } = await receiveFile(socket);
    this.#masters.push(fd);
    sendFileBlocking(request.consoleSocket!.fd, name, fd.fd);
    for (const one of [socket, theirs]) one.close();
    return launched;
  }

  async exec(...request: Parameters<SupervisedStore['exec']>): Promise<SupervisedProcess> {
    return this.#store.exec(...request);
  }

  async load(key: string): Promise<SupervisedProcess> {
    return this.#store.load(key);
  }

  async remove(...request: Parameters<SupervisedStore['remove']>): Promise<void> {
    return this.#store.remove(...request);
  }

  async console(): Promise<OwnedFd> {
    using self = pidfdOpen(process.pid);
    return pidfdGetfd(self, this.#masters[0]!.fd);
  }

  close(): void {
    for (const master of this.#masters) master.close();
  }
}

/** A folder as another program left it. */
function makeForeign(
  fixture: Fixture,
  files: Record<string, string>,
  id = 'init',
  container = 'box',
): void {
  const folder = join(fixture.stateRoot, container, id);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(fixture.stateRoot, container, 'state.json'),
    `{"bundle":"${fixture.bundle}","labels":null,"stdin":"","stdout":"","stderr":""}\n`,
  );
  writeFileSync(
    join(folder, 'process.json'),
    `{"terminal":false,"user":{"uid":0,"gid":0},"args":["sleep"],"cwd":"/","exec":${id !== 'init'},"checkpoint":"","rootUID":0,"rootGID":0,"containerdStdin":"/dev/null","containerdStdout":"/dev/null","containerdStderr":"/dev/null"}\n`,
  );
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
}
