import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Scratch } from '../../test/scratch.ts';
import { readStartTicks } from '../supervision/start-ticks.ts';
import { deriveRuncStatus } from './runc-status.ts';

const self = { init_process_pid: process.pid, init_process_start: readStartTicks(process.pid)! };
const gone = { init_process_pid: 4_194_304, init_process_start: 1n };

function layoutIn(scratch: Scratch): { execFifo: string } {
  return { execFifo: join(scratch.path, 'exec.fifo') };
}

test('deriveRuncStatus calls a process with the recorded start running, and created while exec.fifo exists', async () => {
  using scratch = new Scratch();
  const layout = layoutIn(scratch);
  expect(await deriveRuncStatus(layout, { ...self, cgroup_paths: {} })).toBe('running');
  writeFileSync(layout.execFifo, '');
  expect(await deriveRuncStatus(layout, { ...self, cgroup_paths: {} })).toBe('created');
});

test.each([
  ['another start, which is another process', { init_process_start: self.init_process_start + 1n }],
  ['a pid that nobody has', gone],
  ['no pid', { init_process_pid: -1, init_process_start: 0n }],
])('deriveRuncStatus calls %s stopped, even where exec.fifo was left', async (_name, change) => {
  using scratch = new Scratch();
  const layout = layoutIn(scratch);
  writeFileSync(layout.execFifo, '');
  expect(await deriveRuncStatus(layout, { ...self, ...change, cgroup_paths: {} })).toBe('stopped');
});

/** What the kernel would show in a cgroup. */
function cgroupIn(scratch: Scratch, files: Record<string, string>): string {
  const path = join(scratch.path, 'cgroup');
  mkdirSync(path);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

test.each([
  ['FROZEN\n', '1\n', 'paused'],
  ['FROZEN\n', '0\n', 'running'],
  ['FREEZING\n', '1\n', 'running'],
  ['THAWED\n', '0\n', 'running'],
])(
  'deriveRuncStatus reads the freezer of version 1: %j, itself %j, is %s',
  async (state, itself, status) => {
    using scratch = new Scratch();
    const freezer = cgroupIn(scratch, { 'freezer.state': state, 'freezer.self_freezing': itself });
    expect(await deriveRuncStatus(layoutIn(scratch), { ...self, cgroup_paths: { freezer } })).toBe(
      status,
    );
  },
);

test.each([
  ['1\n', 'populated 1\nfrozen 1\n', 'paused'],
  ['1\n', 'populated 1\nfrozen 0\n', 'running'],
  ['0\n', 'populated 1\nfrozen 1\n', 'running'],
])('deriveRuncStatus reads version 2: wanted %j, %j, is %s', async (freeze, events, status) => {
  using scratch = new Scratch();
  const path = cgroupIn(scratch, { 'cgroup.freeze': freeze, 'cgroup.events': events });
  expect(await deriveRuncStatus(layoutIn(scratch), { ...self, cgroup_paths: { '': path } })).toBe(
    status,
  );
});

test('deriveRuncStatus asks the freezer first, as runc does', async () => {
  using scratch = new Scratch();
  const freezer = cgroupIn(scratch, {
    'freezer.state': 'FROZEN\n',
    'freezer.self_freezing': '1\n',
  });
  expect(await deriveRuncStatus(layoutIn(scratch), { ...gone, cgroup_paths: { freezer } })).toBe(
    'paused',
  );
});

test('deriveRuncStatus takes a cgroup that is gone for not frozen', async () => {
  using scratch = new Scratch();
  for (const cgroup_paths of [{ freezer: '/nonexistent' }, { '': '/nonexistent' }]) {
    expect(await deriveRuncStatus(layoutIn(scratch), { ...self, cgroup_paths })).toBe('running');
  }
});
