import type { OciIoPriority, OciScheduler, OciSchedulerFlag } from '../config/spec/attributes.ts';
import { InvalidConfigError, UnsupportedConfigError } from '../errors.ts';

/** For sched_setattr(2); 64-bit numbers as decimal text, because they travel as JSON. */
export type PlannedScheduler = {
  /** As the configuration has it, for messages. */
  name: string;
  policy: number;
  flags: number;
  nice: number;
  priority: number;
  runtime: string;
  deadline: string;
  period: string;
};

// linux/sched.h
const policies: Readonly<Record<Exclude<OciScheduler['policy'], 'SCHED_ISO'>, number>> = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};
const flagBits: Readonly<Record<OciSchedulerFlag, number>> = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
};
const clampFlags = ['SCHED_FLAG_UTIL_CLAMP_MIN', 'SCHED_FLAG_UTIL_CLAMP_MAX'] as const;

/**
 * What sched_setattr(2) is to be called with.
 *
 * @throws InvalidConfigError for a parameter that the policy does not have, or a deadline out of order
 * @throws UnsupportedConfigError for SCHED_ISO, and for clamps, whose values the specification lacks
 */
export function planScheduler(scheduler: OciScheduler | undefined): PlannedScheduler | undefined {
  if (scheduler === undefined) return undefined;
  const { policy, flags = [], nice = 0, priority = 0 } = scheduler;
  if (policy === 'SCHED_ISO') {
    throw new UnsupportedConfigError('process.scheduler.policy', 'no Linux kernel has SCHED_ISO');
  }
  for (const flag of clampFlags) {
    if (flags?.includes(flag) !== true) continue;
    throw new UnsupportedConfigError(
      'process.scheduler.flags',
      `the specification has no value that ${flag} could clamp to`,
    );
  }
  const realtime = policy === 'SCHED_FIFO' || policy === 'SCHED_RR';
  if (realtime !== priority > 0) {
    refuse(
      'priority',
      realtime ? `${policy} needs a priority from 1 to 99` : `${policy} has no priority`,
    );
  }
  if (nice !== 0 && policy !== 'SCHED_OTHER' && policy !== 'SCHED_BATCH') {
    refuse('nice', `${policy} has no nice value`);
  }
  const time = (name: 'runtime' | 'deadline' | 'period'): bigint => {
    const value = BigInt(scheduler[name] ?? 0);
    if (value !== 0n && policy !== 'SCHED_DEADLINE') refuse(name, `${policy} has no ${name}`);
    if (value >= 1n << 63n) refuse(name, 'the kernel takes less than 2^63 nanoseconds');
    return value;
  };
  const [runtime, deadline, period] = [time('runtime'), time('deadline'), time('period')];
  if (policy === 'SCHED_DEADLINE') {
    // A period of 0 is the deadline; sched(7), SCHED_DEADLINE.
    const ordered = runtime > 0n && runtime <= deadline && (period === 0n || deadline <= period);
    if (!ordered) refuse('runtime', 'must not be 0, nor above deadline, nor that above period');
  }
  return {
    name: policy,
    policy: policies[policy],
    flags: (flags ?? []).reduce((bits, flag) => bits | flagBits[flag], 0),
    nice,
    priority,
    runtime: String(runtime),
    deadline: String(deadline),
    period: String(period),
  };
}

function refuse(name: string, reason: string): never {
  const field = `process.scheduler.${name}`;
  throw new InvalidConfigError(field, `${field}: ${reason}`, {
    hint: 'See sched(7) for what each policy takes.',
  });
}

const IOPRIO_CLASS_SHIFT = 13;
const ioClasses: Readonly<Record<OciIoPriority['class'], number>> = {
  IOPRIO_CLASS_RT: 1,
  IOPRIO_CLASS_BE: 2,
  IOPRIO_CLASS_IDLE: 3,
};

/** The class and level in one number, as ioprio_set(2) takes them. */
export function planIoPriority(priority: OciIoPriority | undefined): number | undefined {
  return priority === undefined
    ? undefined
    : (ioClasses[priority.class] << IOPRIO_CLASS_SHIFT) | priority.priority;
}
