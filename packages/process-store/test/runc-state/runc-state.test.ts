import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { OciSpec } from '@pilotlight/init';
import { withoutFdLeak } from '@pilotlight/scm-rights/testing';
import { expect, test } from 'vitest';
import {
  decodeRuncState,
  encodeRuncState,
  isStoreError,
  listRuncStates,
  openStore,
  type OpenStoreOptions,
  type ProcessStore,
  readRuncState,
  type StoredProcess,
  writeRuncState,
} from '../../src/index.ts';
import { gatedLauncher } from '../gated-launcher.ts';
import { isRoot } from '../is-root.ts';
import { Scratch } from '../scratch.ts';
import { specOf } from '../spec-of.ts';
import { capturedState } from './captured.ts';

const options: OpenStoreOptions = {
  launcher: gatedLauncher,
  tier: 'D',
};

const sleeper = (): OciSpec => ({
  ...specOf('sleep', '1000'),
  annotations: { b: '2', a: '1=1' },
  linux: { namespaces: [{ type: 'mount' }] },
});

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    return isStoreError(error) && error.hint !== '' ? error.code : error;
  }
}

/** Launches `id` and hands it over with a root for runc; kills it afterwards. */
async function withProcess(
  use: (process: StoredProcess, runcRoot: string, store: ProcessStore) => Promise<void>,
): Promise<void> {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  const process = await store.launch({ id: 'ctr1', spec: sleeper(), bundle: '/tmp' });
  try {
    await use(process, join(scratch.path, 'runc'), store);
  } finally {
    await process.remove({ force: true });
  }
}

test('writeRuncState writes what readRuncState and listRuncStates read, until the process ends', async () => {
  await withProcess(async (process, root) => {
    const written = await writeRuncState(root, process);
    const container = await readRuncState(root, 'ctr1');
    expect(container).toEqual({
      id: 'ctr1',
      status: 'running',
      pid: process.pid,
      bundle: '/tmp',
      rootfs: '/',
      createdAt: process.createdAt,
      annotations: { a: '1=1', b: '2' },
      ociVersion: '1.2.0',
      state: decodeRuncState(encodeRuncState(written)),
    });
    expect(await listRuncStates(root)).toEqual({ containers: [container], problems: [] });
    const stat = readFileSync(`/proc/${process.pid}/stat`, 'utf8');
    const start = stat.slice(stat.lastIndexOf(')')).split(' ')[20];
    expect(String(written.init_process_start)).toBe(start);
    expect(written.external_descriptors).toEqual(
      [0, 1, 2].map((fd) => readlinkSync(`/proc/${process.pid}/fd/${fd}`)),
    );
    for (const [type, path] of Object.entries(written.namespace_paths)) {
      expect(type).toMatch(/^NEW[A-Z]+$/);
      expect(readlinkSync(path)).toBe(readlinkSync(path.replace(String(process.pid), 'self')));
    }
    expect(Object.keys(written.namespace_paths)).toContain('NEWNS');
    expect(Object.keys(written.namespace_paths)).not.toContain('NEWTIME');

    await process.signal('SIGKILL');
    await process.wait();
    expect(await readRuncState(root, 'ctr1')).toMatchObject({ status: 'stopped', pid: 0 });
  });
});

test('writeRuncState gives the directory 0711 and the file 0600 whatever the umask, and leaves nothing else', async () => {
  const umask = process.umask(0o077);
  try {
    await withProcess(async (stored, root) => {
      await writeRuncState(root, stored);
      const mode = (path: string): number => statSync(path).mode & 0o7777;
      expect([root, join(root, 'ctr1'), join(root, 'ctr1/state.json')].map(mode)).toEqual([
        0o700, 0o711, 0o600,
      ]);
      expect(readdirSync(root, { recursive: true })).toEqual(['ctr1', 'ctr1/state.json']);
      expect(readFileSync(join(root, 'ctr1/state.json'), 'utf8')).not.toContain('\n');
    });
  } finally {
    process.umask(umask);
  }
});

test('writeRuncState closes every descriptor', async () => {
  await withProcess(async (process, root) => {
    await writeRuncState(join(root, '0'), process);
    await withoutFdLeak(async () => {
      await writeRuncState(join(root, '1'), process);
      expect(await codeOf(writeRuncState(join(root, '1'), process))).toBe('ERR_STORE_ID_IN_USE');
    });
  });
});

test('writeRuncState describes a process that has ended without a pid', async () => {
  await withProcess(async (process, root, store) => {
    await process.signal('SIGKILL');
    await process.wait();
    // Of the handle from before, and of one that knows the end.
    for (const [name, ended] of [
      ['a', process],
      ['b', await store.load('ctr1')],
    ] as const) {
      const state = await writeRuncState(join(root, name), ended);
      expect(state).toMatchObject({
        init_process_pid: -1,
        init_process_start: 0n,
        namespace_paths: {},
        external_descriptors: [],
      });
      expect(await readRuncState(join(root, name), 'ctr1')).toMatchObject({
        status: 'stopped',
        pid: 0,
      });
    }
  });
});

test('writeRuncState leaves a directory of that id alone, and says whose id it is', async () => {
  await withProcess(async (process, root) => {
    mkdirSync(join(root, 'ctr1'), { recursive: true });
    writeFileSync(join(root, 'ctr1/exec.fifo'), '');
    expect(await codeOf(writeRuncState(root, process))).toBe('ERR_STORE_ID_IN_USE');
    expect(readdirSync(join(root, 'ctr1'))).toEqual(['exec.fifo']);
  });
});

test.skipIf(isRoot)(
  'writeRuncState says what refused it, and leaves nothing (not as root)',
  async () => {
    await withProcess(async (process, root) => {
      mkdirSync(root);
      chmodSync(root, 0o500);
      expect(await codeOf(writeRuncState(root, process))).toBe('ERR_STORE_RUNC_STATE');
      chmodSync(root, 0o700);
      expect(readdirSync(root)).toEqual([]);
    });
  },
);

test.skipIf(!isRoot)(
  'writeRuncState leaves nothing where the file system is full (as root)',
  async () => {
    await withProcess(async (process, root) => {
      mkdirSync(root);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'tmpfs', root]);
      try {
        // Less than one page is left: the directory can be made, the file not be filled.
        writeFileSync(join(root, 'other'), '');
        const state = await codeOf(writeRuncState(root, process));
        expect(state).toBe('no error');
        rmSync(join(root, 'ctr1'), { recursive: true });
        writeFileSync(join(root, 'other'), 'x');
        expect(await codeOf(writeRuncState(root, process))).toBe('ERR_STORE_RUNC_STATE');
        expect(readdirSync(root)).toEqual(['other']);
      } finally {
        execFileSync('umount', [root]);
      }
    });
  },
);

test('writeRuncState and listRuncStates refuse a root that is a file', async () => {
  await withProcess(async (process, root) => {
    writeFileSync(root, '');
    expect(await codeOf(writeRuncState(join(root, 'below'), process))).toBe('ERR_STORE_RUNC_STATE');
    expect(await codeOf(listRuncStates(root))).toBe('ERR_STORE_RUNC_STATE');
  });
});

test('writeRuncState refuses what it would have to leave out, before it makes anything', async () => {
  using scratch = new Scratch();
  await using store = await openStore(scratch.root, options);
  const spec = { ...sleeper(), annotations: { bundle: '/elsewhere' } };
  const process = await store.launch({ id: 'ctr1', spec, bundle: '/tmp' });
  try {
    const root = join(scratch.path, 'runc');
    expect(await codeOf(writeRuncState(root, process))).toBe('ERR_STORE_RUNC_STATE');
    expect(readdirSync(scratch.path)).toEqual(['root']);
  } finally {
    await process.remove({ force: true });
  }
});

test('writeRuncState refuses a process that waits at its gate', async () => {
  using scratch = new Scratch();
  let seen: unknown;
  await using store = await openStore(scratch.root, {
    ...options,
    at: async (step) => {
      if (step !== 'recorded') return;
      await using reader = await openStore(scratch.root, options);
      seen = await codeOf(writeRuncState(join(scratch.path, 'runc'), await reader.load('ctr1')));
    },
  });
  const process = await store.launch({ id: 'ctr1', spec: sleeper(), bundle: '/tmp' });
  await process.remove({ force: true });
  expect(seen).toBe('ERR_STORE_RUNC_STATE');
});

/** A root of runc with what it wrote for one container. */
function captureIn(scratch: Scratch, id = 'ctr1'): string {
  const { text } = capturedState('stock');
  mkdirSync(join(scratch.path, id));
  writeFileSync(join(scratch.path, id, 'state.json'), text.replace('"id":"ctr1"', `"id":"${id}"`));
  return scratch.path;
}

test('readRuncState tells what runc state tells', async () => {
  using scratch = new Scratch();
  const { printed } = capturedState('stock');
  const { state: _state, ...container } = await readRuncState(captureIn(scratch), 'ctr1');
  expect(container).toEqual({
    // Whatever has that pid here was started at another time.
    status: 'stopped',
    pid: 0,
    id: printed.id,
    bundle: printed.bundle,
    rootfs: printed.rootfs,
    createdAt: printed.created,
    annotations: printed.annotations,
    ociVersion: printed.ociVersion,
  });
});

test.each(['', '.', '..', 'a/b', '../ctr1', 'a b', 'a\0b', 'ä', 'x'.repeat(256)])(
  'readRuncState refuses the id %j',
  async (id) => {
    using scratch = new Scratch();
    expect(await codeOf(readRuncState(captureIn(scratch), id))).toBe('ERR_STORE_INVALID_ID');
  },
);

test('readRuncState takes the comma that runc 1.1 takes', async () => {
  using scratch = new Scratch();
  expect(await readRuncState(captureIn(scratch, 'a,b+c_d-e.f'), 'a,b+c_d-e.f')).toMatchObject({
    id: 'a,b+c_d-e.f',
  });
});

test('readRuncState names the containers there are when one is missing', async () => {
  using scratch = new Scratch();
  await expect(readRuncState(captureIn(scratch), 'other')).rejects.toMatchObject({
    code: 'ERR_STORE_NOT_FOUND',
    hint: 'These exist: ctr1.',
  });
});

test('readRuncState refuses a state that is about another id', async () => {
  using scratch = new Scratch();
  const root = captureIn(scratch);
  mkdirSync(join(root, 'ctr2'));
  writeFileSync(join(root, 'ctr2/state.json'), capturedState('stock').text);
  expect(await codeOf(readRuncState(root, 'ctr2'))).toBe('ERR_STORE_BAD_RECORD');
});

test('listRuncStates reads the good ones, reports the bad ones, and passes over what is no container yet', async () => {
  using scratch = new Scratch();
  const root = captureIn(scratch, 'b');
  captureIn(scratch, 'a');
  mkdirSync(join(root, 'creating'));
  mkdirSync(join(root, 'bad'));
  writeFileSync(join(root, 'bad/state.json'), '{');
  mkdirSync(join(root, 'not a container'));
  writeFileSync(join(root, 'file'), '');
  const { containers, problems } = await listRuncStates(root);
  expect(containers.map(({ id }) => id)).toEqual(['a', 'b']);
  expect(problems.map(({ id }) => id)).toEqual(['bad']);
  expect(isStoreError(problems[0]?.problem, 'ERR_STORE_BAD_RECORD')).toBe(true);
});

test('listRuncStates finds nothing where there is nothing', async () => {
  using scratch = new Scratch();
  expect(await listRuncStates(join(scratch.path, 'none'))).toEqual({
    containers: [],
    problems: [],
  });
});
