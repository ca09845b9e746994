import { join } from 'node:path';
import type { OciProcess, OciSpec } from '@pilotlight/init';

/** How a program is meant to end. */
export type Ending = { code: number } | { signal: number };

/** One that runs for a while, proves that it did, and ends as it was told to. */
export interface ProgramPlan {
  /** `box`, or `box/e1` for one that is executed in a container. */
  key: string;
  ms: number;
  ending: Ending;
  /** Whether it has a cgroup of its own. */
  cgroup: boolean;
}

/** Those whose default action ends a process and leaves no core. */
export const endingSignals = [1, 2, 9, 10, 12, 13, 14, 15] as const;

/** Where a program writes its pid, as its last act. */
export function proofPath(proofs: string, key: string): string {
  return join(proofs, key.replace('/', ':'));
}

/** A shell without a pid namespace of its own: `$$` is its pid in ours, and its own signals can end it. */
export function processOf(plan: ProgramPlan, proofs: string): OciProcess {
  const end = 'code' in plan.ending ? `exit ${plan.ending.code}` : `kill -${plan.ending.signal} $$`;
  const proof = `echo $$ >> ${proofPath(proofs, plan.key)}`;
  return {
    args: ['/bin/sh', '-c', `sleep ${(plan.ms / 1000).toFixed(3)}; ${proof}; ${end}`],
    cwd: '/',
    env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
  };
}

/** On the host's own root: a launch of it costs little more than the namespaces that every container has. */
export function specOf(plan: ProgramPlan, proofs: string, cgroupName: string): OciSpec {
  return {
    ociVersion: '1.2.0',
    process: processOf(plan, proofs),
    root: { path: '/' },
    mounts: [],
    linux: {
      namespaces: [{ type: 'mount' }, { type: 'uts' }],
      ...(plan.cgroup ? { cgroupsPath: `/${cgroupName}/${plan.key}` } : {}),
    },
  };
}
