import { describe, expect, it } from 'vitest';
import type { OciProcess, OciSpec } from '../config/oci-spec.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import { CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER } from './namespaces.ts';
import { type ExecPlan, planExec } from './plan-exec.ts';
import type { Launcher } from './user-namespace.ts';

const root = { uid: 0, gid: 0 };
const user = { uid: 1000, gid: 1000 };

function plan(
  process: Partial<OciProcess> = {},
  {
    namespaces = CLONE_NEWPID | CLONE_NEWNS,
    launcher = root,
    change,
  }: { namespaces?: number; launcher?: Launcher; change?: (spec: OciSpec) => void } = {},
): ExecPlan {
  const spec = stockSpec();
  change?.(spec);
  return planExec({
    id: 'p',
    bundle: '/bundle',
    container: { id: 'c', spec, namespaces, canSetGroups: true },
    process: { args: ['true'], cwd: '/', ...process },
    launcher,
  });
}

describe('planExec', () => {
  it('planExec joins everything but the pid namespace in the child itself', () => {
    const { init, ...outer } = plan();
    expect(outer).toMatchObject({ joinedBy: 'child', cloneFlags: 0, undumpable: true });
    expect(init.joins).toEqual([{ flags: CLONE_NEWNS, name: 'of container c' }]);
    expect(init).toMatchObject({ entering: true, becomeRoot: false });
  });

  it('planExec joins nothing in a container that shares everything', () => {
    expect(plan({}, { namespaces: 0 }).init.joins).toEqual([]);
  });

  it('planExec becomes root of a user namespace', () => {
    const namespaces = CLONE_NEWUSER | CLONE_NEWNET;
    expect(plan({}, { namespaces }).init).toMatchObject({
      becomeRoot: true,
      joins: [{ flags: namespaces }],
    });
  });

  it('planExec needs an entry process for an unprivileged launcher', () => {
    const namespaces = CLONE_NEWUSER | CLONE_NEWPID;
    const { joinedBy, init, entryOomScoreAdj } = plan(
      { oomScoreAdj: 5 },
      { namespaces, launcher: user },
    );
    expect(joinedBy).toBe('entry');
    expect(init.joins).toEqual([]);
    // The entry sets it, while it may.
    expect([entryOomScoreAdj, init.oomScoreAdj]).toEqual([5, undefined]);
  });

  it('planExec takes from the container what the process does not say', () => {
    const change = (spec: OciSpec): void => {
      spec.process.oomScoreAdj = 7;
      spec.process.env = ['A=container'];
      spec.process.user = { uid: 5, gid: 6 };
    };
    const stock = stockSpec().process;
    const { init } = plan({}, { change });
    expect(init).toMatchObject({ oomScoreAdj: 7, noNewPrivileges: stock.noNewPrivileges });
    expect(init.capabilities.bounding).toHaveLength(stock.capabilities!.bounding!.length);
    expect(init.rlimits).toHaveLength(stock.rlimits!.length);
    // Who it is and what it is told is its own affair.
    expect(init).toMatchObject({ env: [], user: { uid: 0, gid: 0 } });
  });

  it('planExec prefers what the process says, also where that is nothing', () => {
    const { init } = plan({
      noNewPrivileges: false,
      capabilities: {},
      rlimits: [],
      user: { uid: 1, gid: 2, additionalGids: [3] },
    });
    expect(init).toMatchObject({ noNewPrivileges: false, user: { uid: 1, gid: 2 } });
    expect(init.capabilities.bounding).toEqual([]);
    expect(init.rlimits).toEqual([]);
  });

  it('planExec sets CPUs before and after the cgroup', () => {
    const { initialCpus, init } = plan({ execCPUAffinity: { initial: '0', final: '2-3' } });
    expect([initialCpus, init.cpus]).toEqual([[[0, 0]], [[2, 3]]]);
  });

  it('planExec refuses a process that is none', () => {
    expect(() => plan({ args: [] })).toThrow(InvalidConfigError);
    expect(() => plan({ cwd: 'relative' })).toThrow(/process\.cwd/);
    expect(() => plan({ env: ['A\0B=c'] })).toThrow(/NUL/);
  });
});
