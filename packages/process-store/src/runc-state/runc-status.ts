import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoCode } from '../errors.ts';
import { readProcStat } from '../supervision/start-ticks.ts';
import type { RuncLayout } from './runc-layout.ts';
import type { RuncState } from './runc-state.ts';

/** As `runc state` prints it. */
export type RuncStatus = 'created' | 'running' | 'paused' | 'stopped';

/**
 * Where a container of runc stands, by the same questions in the same order as runc asks them: is its cgroup frozen, is its
 * process there (the pid with the same start time, no zombie), does `exec.fifo` still exist.
 *
 * In the pid namespace, and with the cgroup mounts, of whoever wrote the state.
 */
export async function deriveRuncStatus(
  layout: Pick<RuncLayout, 'execFifo'>,
  state: Pick<RuncState, 'cgroup_paths' | 'init_process_pid' | 'init_process_start'>,
): Promise<RuncStatus> {
  if (await isFrozen(state.cgroup_paths)) return 'paused';
  if (!isAlive(state)) return 'stopped';
  return (await exists(layout.execFifo)) ? 'created' : 'running';
}

function isAlive(state: Pick<RuncState, 'init_process_pid' | 'init_process_start'>): boolean {
  const { init_process_pid: pid, init_process_start: start } = state;
  const stat = pid > 0 ? readProcStat(pid) : undefined;
  return stat !== undefined && stat.startTicks === start && !'ZX'.includes(stat.state);
}

/** cgroups(7): version 1 has a controller for it, version 2 a file in every cgroup. */
async function isFrozen(paths: Readonly<Record<string, string>>): Promise<boolean> {
  const { freezer, '': unified } = paths;
  if (freezer !== undefined) {
    const [frozen, itself] = await Promise.all([
      readLine(join(freezer, 'freezer.state')),
      readLine(join(freezer, 'freezer.self_freezing')),
    ]);
    // Frozen through a cgroup above it, it is not paused: it cannot be resumed.
    return frozen === 'FROZEN' && itself !== '0';
  }
  if (unified === undefined) return false;
  const events = await readLine(join(unified, 'cgroup.events'));
  return (
    events.split('\n').includes('frozen 1') &&
    (await readLine(join(unified, 'cgroup.freeze'))) === '1'
  );
}

/** Without the last newline; empty if the cgroup is gone. */
async function readLine(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trimEnd();
  } catch (error) {
    if (errnoCode(error) === 'ENOENT' || errnoCode(error) === 'ENODEV') return '';
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return false;
    throw error;
  }
}
