// The state directory of runc, both ways: what we write is used by the real runc, what it writes is read by us.
import { deepStrictEqual } from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { OciSpec } from '@pilotlight/init';
import {
  listRuncStates,
  openStore,
  type ProcessStore,
  readRuncState,
  type StoredProcess,
  writeRuncState,
} from '@pilotlight/process-store';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  belongings,
  type Belongings,
  type BusyboxBundle,
  requireNothingLeft,
  makeBundle,
  missing,
  newId,
  shellSpec,
} from './init-bundle.ts';

const lacking = missing('root', 'busybox-static', 'runc');

/** What `runc state` prints. */
type PrintedState = {
  ociVersion: string;
  id: string;
  pid: number;
  status: string;
  bundle: string;
  rootfs: string;
  created: string;
  annotations?: Record<string, string>;
  owner: string;
};

type Ran = { code: number | string; stdout: string; stderr: string };

describe.skipIf(lacking !== '')(`runc's state directory${lacking}`, () => {
  let bundle: BusyboxBundle;
  let runcRoot: string;
  let store: ProcessStore;
  let before: Belongings;
  const emptyCgroups: string[] = [];

  beforeAll(async () => {
    bundle = makeBundle();
    runcRoot = join(bundle.path, 'runc');
    // The zygote, which stays.
    await using warm = await openStore(join(bundle.path, 'warm'));
    const first = await warm.launch({ id: newId(), spec: sleeping(), bundle: bundle.path });
    await first.remove({ force: true });
  });
  afterAll(() => bundle.remove());
  beforeEach(async () => {
    before = belongings();
    store = await openStore(join(bundle.path, 'store'));
  });
  afterEach(async () => {
    for (const { id } of (await listRuncStates(runcRoot)).containers)
      await runc('delete', '-f', id);
    for (const process of (await store.list()).processes) await process.remove({ force: true });
    await store[Symbol.asyncDispose]();
    deepStrictEqual(
      readdirSync(bundle.path).filter((name) => name === 'store'),
      [],
    );
    // What lies above a cgroup is not runc's to remove; mkdir -p made it.
    for (const path of emptyCgroups.splice(0)) rmdirSync(path);
    await requireNothingLeft(before);
  });

  function runc(...args: string[]): Promise<Ran> {
    return new Promise((resolve) => {
      const child = execFile('runc', ['--root', runcRoot, ...args], (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : (error.code ?? 'signal'), stdout, stderr });
      });
      child.stdin?.end();
    });
  }

  async function succeed(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runc(...args);
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
    return stdout;
  }

  const printed = async (id: string): Promise<PrintedState> =>
    JSON.parse(await succeed('state', id)) as PrintedState;

  function writeBundle(spec: OciSpec): void {
    const text = JSON.stringify(spec, (_, value: unknown) =>
      typeof value === 'bigint' ? Number(value) : value,
    );
    writeFileSync(join(bundle.path, 'config.json'), text);
  }

  /** What both sides say of a container, in the words of `runc state`; that they agree. */
  async function agreedState(id: string): Promise<PrintedState> {
    const theirs = await printed(id);
    const ours = await readRuncState(runcRoot, id);
    expect({
      ociVersion: ours.ociVersion,
      id: ours.id,
      pid: ours.pid,
      status: ours.status,
      bundle: ours.bundle,
      rootfs: ours.rootfs,
      annotations: ours.annotations,
      created: Date.parse(ours.createdAt),
    }).toEqual({
      ociVersion: theirs.ociVersion,
      id: theirs.id,
      pid: theirs.pid,
      status: theirs.status,
      bundle: theirs.bundle,
      rootfs: theirs.rootfs,
      annotations: theirs.annotations ?? {},
      created: Date.parse(theirs.created),
    });
    return theirs;
  }

  async function launchForRunc(change?: (spec: OciSpec) => void): Promise<StoredProcess> {
    const spec = sleeping(change);
    writeBundle(spec);
    const process = await store.launch({ id: newId(), spec, bundle: bundle.path });
    await writeRuncState(runcRoot, process);
    return process;
  }

  it('writeRuncState makes runc see the container that we launched', async () => {
    const process = await launchForRunc((spec) => {
      spec.annotations = { 'org.example.note': 'a=<b>', 'org.example.other': 'x' };
    });
    expect(await agreedState(process.id)).toMatchObject({
      id: process.id,
      pid: process.pid,
      status: 'running',
      bundle: bundle.path,
      rootfs: bundle.rootfs,
      annotations: { 'org.example.note': 'a=<b>', 'org.example.other': 'x' },
    });
    expect(Date.parse((await printed(process.id)).created)).toBe(Date.parse(process.createdAt));
    const list = JSON.parse(await succeed('list', '--format', 'json')) as PrintedState[];
    expect(list.map(({ id, pid, status }) => ({ id, pid, status }))).toEqual([
      { id: process.id, pid: process.pid, status: 'running' },
    ]);
    const modes = ['', 'state.json'].map(
      (name) => statSync(join(runcRoot, process.id, name)).mode & 0o7777,
    );
    expect(modes).toEqual([0o711, 0o600]);
    expect(readdirSync(join(runcRoot, process.id))).toEqual(['state.json']);
  });

  it('writeRuncState lets runc execute commands in the container, in its namespaces and cgroup', async () => {
    const process = await launchForRunc();
    const inside = await succeed(
      'exec',
      process.id,
      'sh',
      '-c',
      'hostname; for n in mnt net ipc uts pid cgroup; do readlink /proc/self/ns/$n; done; cut -d: -f2- /proc/self/cgroup',
    );
    const [hostname, ...rest] = inside.trimEnd().split('\n');
    expect(hostname).toBe('pilotlight');
    const namespaces = ['mnt', 'net', 'ipc', 'uts', 'pid', 'cgroup'];
    expect(rest.slice(0, 6)).toEqual(
      namespaces.map((name) => readlinkSync(`/proc/${process.pid}/ns/${name}`)),
    );
    // Seen from inside the cgroup namespace the container's cgroup is the root.
    expect(new Set(rest.slice(6).map((line) => line.split(':')[1]))).toEqual(new Set(['/']));
    expect(await runc('exec', process.id, 'sh', '-c', 'exit 7')).toMatchObject({ code: 7 });
  });

  it('writeRuncState lets runc list the processes of the container', async () => {
    const process = await launchForRunc();
    const pids = JSON.parse(await succeed('ps', '--format', 'json', process.id)) as number[];
    expect(pids).toContain(process.pid);
    expect(await succeed('ps', process.id)).toContain('sleep 1000');
  });

  it('writeRuncState lets runc pause and resume the container, and both call it paused', async () => {
    const process = await launchForRunc();
    await succeed('pause', process.id);
    expect((await agreedState(process.id)).status).toBe('paused');
    await succeed('resume', process.id);
    expect((await agreedState(process.id)).status).toBe('running');
  });

  it('writeRuncState lets runc kill and delete the container, and our store knows how it ended', async () => {
    const process = await launchForRunc();
    const cgroups = process.cgroupPaths;
    expect((await runc('delete', process.id)).stderr).toContain('not stopped');
    await succeed('kill', process.id, 'KILL');
    expect(await process.wait()).toMatchObject({ kind: 'signaled', signal: 9, source: 'parent' });
    expect(await agreedState(process.id)).toMatchObject({ status: 'stopped', pid: 0 });
    await succeed('delete', process.id);
    expect((await listRuncStates(runcRoot)).containers).toEqual([]);
    await expect(readRuncState(runcRoot, process.id)).rejects.toMatchObject({
      code: 'ERR_STORE_NOT_FOUND',
    });
    expect(cgroups.length).toBeGreaterThan(0);
    for (const path of cgroups) expect(() => statSync(path)).toThrow('ENOENT');
    await (await store.load(process.id)).remove();
  });

  it('writeRuncState lets runc delete a running container by force', async () => {
    const process = await launchForRunc();
    await succeed('delete', '-f', process.id);
    expect(await process.wait()).toMatchObject({ kind: 'signaled', signal: 9 });
    expect(readdirSync(runcRoot)).toEqual([]);
  });

  it('writeRuncState leaves runc a container that it can delete after our store has deleted the process', async () => {
    const process = await launchForRunc();
    await process.remove({ force: true });
    expect(await agreedState(process.id)).toMatchObject({ status: 'stopped', pid: 0 });
    await succeed('delete', process.id);
    expect(readdirSync(runcRoot)).toEqual([]);
  });

  it('writeRuncState describes a process that has ended, and runc can delete it', async () => {
    const spec = sleeping();
    writeBundle(spec);
    const process = await store.launch({ id: newId(), spec, bundle: bundle.path });
    await process.signal('SIGKILL');
    await process.wait();
    await writeRuncState(runcRoot, await store.load(process.id));
    expect(await agreedState(process.id)).toMatchObject({ status: 'stopped', pid: 0 });
    expect((await runc('kill', process.id, 'KILL')).stderr).toContain('not running');
    await succeed('delete', process.id);
  });

  it('writeRuncState works with a specification of few namespaces, a cgroup by path and other rights', async () => {
    const process = await launchForRunc((spec) => {
      delete spec.hostname;
      spec.process.user = { uid: 1000, gid: 1000, umask: 0o27, additionalGids: [5] };
      spec.process.capabilities = { bounding: ['CAP_KILL'] };
      spec.process.noNewPrivileges = false;
      spec.process.oomScoreAdj = 300;
      spec.mounts = (spec.mounts ?? []).filter(({ type }) => type !== 'cgroup');
      spec.mounts.push({
        destination: '/data',
        type: 'bind',
        source: 'rootfs/etc',
        options: ['rbind', 'ro', 'rslave'],
      });
      spec.linux = {
        ...spec.linux,
        cgroupsPath: `/${newId()}/deep`,
        namespaces: [{ type: 'mount' }, { type: 'pid' }],
        resources: { devices: [{ allow: false, access: 'rwm' }] },
      };
    });
    emptyCgroups.push(...process.cgroupPaths.map((path) => join(path, '..')));
    expect((await agreedState(process.id)).status).toBe('running');
    expect(await succeed('exec', process.id, 'id', '-u')).toBe('1000\n');
    await succeed('exec', '--user', '0:0', process.id, 'cat', '/data/passwd');
    await succeed('delete', '-f', process.id);
    await process.wait();
  });

  it('writeRuncState leaves a container of the same id alone, whoever made it', async () => {
    const process = await launchForRunc();
    const text = readFileSync(join(runcRoot, process.id, 'state.json'), 'utf8');
    await expect(writeRuncState(runcRoot, process)).rejects.toMatchObject({
      code: 'ERR_STORE_ID_IN_USE',
    });
    expect(readFileSync(join(runcRoot, process.id, 'state.json'), 'utf8')).toBe(text);
  });

  it('readRuncState follows a container of runc from create to delete', async () => {
    const id = newId();
    writeBundle(
      sleeping((spec) => {
        spec.annotations = { 'org.example.note': 'a=<b>' };
      }),
    );
    await mkdir(runcRoot, { recursive: true });
    await createDetached(id);
    expect((await agreedState(id)).status).toBe('created');
    await succeed('start', id);
    const { pid } = await agreedState(id);
    const { status, state } = await readRuncState(runcRoot, id);
    expect(status).toBe('running');
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    expect(String(state.init_process_start)).toBe(stat.slice(stat.lastIndexOf(')')).split(' ')[20]);
    await succeed('pause', id);
    expect((await agreedState(id)).status).toBe('paused');
    await succeed('resume', id);
    await succeed('kill', id, 'KILL');
    await expect
      .poll(async () => (await readRuncState(runcRoot, id)).status, { timeout: 10_000 })
      .toBe('stopped');
    expect(await agreedState(id)).toMatchObject({ status: 'stopped', pid: 0 });
    await succeed('delete', id);
    expect(await listRuncStates(runcRoot)).toEqual({ containers: [], problems: [] });
  });

  it('writeRuncState and runc itself describe the same specification alike', async () => {
    const process = await launchForRunc();
    const id = newId();
    await createDetached(id);
    const [ours, theirs] = await Promise.all([
      readRuncState(runcRoot, process.id),
      readRuncState(runcRoot, id),
    ]);
    expect(comparable(ours.state.config, process.id)).toEqual(comparable(theirs.state.config, id));
    expect(Object.keys(ours.state)).toEqual(Object.keys(theirs.state));
    expect(Object.keys(ours.state.cgroup_paths)).toEqual(Object.keys(theirs.state.cgroup_paths));
    expect(Object.keys(ours.state.namespace_paths)).toEqual(
      Object.keys(theirs.state.namespace_paths),
    );
    expect(ours.state.external_descriptors).toHaveLength(3);
  });

  /** Without the streams of this process, which the container would keep open. */
  async function createDetached(id: string): Promise<void> {
    const args = ['--root', runcRoot, 'create', '--bundle', bundle.path, id];
    const child = spawn('runc', args, { stdio: 'ignore' });
    expect(await once(child, 'exit')).toEqual([0, null]);
  }
});

function sleeping(change?: (spec: OciSpec) => void): OciSpec {
  return shellSpec('exec sleep 1000', change);
}

type Config = Awaited<ReturnType<typeof readRuncState>>['state']['config'];

/** Without what has no order or differs on purpose. */
function comparable(config: Config, id: string): unknown {
  const sorted = (items: readonly object[] | null | undefined): string[] =>
    (items ?? []).map((item) => JSON.stringify(item)).toSorted();
  // runc before 1.2 lets every container use /dev/net/tun; the OCI specification has no such default.
  const rules = (config.cgroups?.devices ?? []).filter(({ major }) => major !== 10);
  const [first] = rules;
  return JSON.parse(
    JSON.stringify({
      ...config,
      version: '',
      devices: sorted(config.devices),
      cgroups: { ...config.cgroups, devices: [first, ...sorted(rules.slice(1))] },
    }).replaceAll(id, 'ID'),
  );
}
