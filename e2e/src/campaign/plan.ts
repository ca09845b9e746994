import type { Tier } from '@pilotlight/process-store';
import { endingSignals, type Ending, type ProgramPlan } from './program.ts';
import type { Random } from './random.ts';

/** What is done with a program once it runs. */
export type Fate = 'leave' | 'wait' | 'delete' | 'force-delete' | 'signal' | 'restart';

export interface ContainerPlan extends ProgramPlan {
  fate: Fate;
  /** Executed in it while it runs. */
  execs: ProgramPlan[];
}

/** All that one supervisor does, and when it is killed: so many of its reports and milliseconds after its start. */
export interface SupervisorPlan {
  name: string;
  tier: Tier;
  containers: ContainerPlan[];
  /** How many it looks after at the same time. */
  atOnce: number;
  kill: { afterReports: number; ms: number } | undefined;
}

const AT_ONCE = 6;

/** A supervisor with about `count` programs. */
export function planSupervisor(
  random: Random,
  name: string,
  tier: Tier,
  count: number,
): SupervisorPlan {
  const containers: ContainerPlan[] = [];
  for (let left = count; left > 0;) {
    const container = planContainer(random, `${name}-${containers.length}`, tier, left - 1);
    containers.push(container);
    left -= 1 + container.execs.length;
  }
  // Each is reported three or four times.
  const kill = { afterReports: random.integer(0, count * 4), ms: random.integer(0, 40) };
  return {
    name,
    tier,
    containers,
    atOnce: AT_ONCE,
    kill: random.chance(0.85) ? kill : undefined,
  };
}

function planContainer(random: Random, key: string, tier: Tier, mostExecs: number): ContainerPlan {
  const execs: ProgramPlan[] = [];
  if (random.chance(0.12)) {
    for (let index = 0; index < Math.min(random.integer(1, 3), mostExecs); index++) {
      execs.push(planProgram(random, `${key}/e${index}`));
    }
  }
  const program = planProgram(random, key);
  const fate = random.pick<Fate>([
    'leave',
    'wait',
    'wait',
    'delete',
    'delete',
    'force-delete',
    'signal',
    // Who starts again is the parent, and in tier C only the monitor may be that.
    tier === 'C' ? 'signal' : 'restart',
  ]);
  return {
    ...program,
    ...(execs.length > 0 ? { ms: 500 } : {}),
    cgroup: random.chance(0.04),
    fate,
    execs,
  };
}

/** One program of this name. */
export function planProgram(random: Random, key: string): ProgramPlan {
  return { key, ms: random.integer(0, 300), ending: planEnding(random), cgroup: false };
}

function planEnding(random: Random): Ending {
  return random.chance(0.3)
    ? { signal: random.pick(endingSignals) }
    : { code: random.integer(0, 255) };
}

/** Every program of a supervisor. */
export function programsOf({ containers }: SupervisorPlan): ProgramPlan[] {
  return containers.flatMap((container) => [container, ...container.execs]);
}
