import type { Kernel } from '../kernel.ts';
import {
  SYS_ioprio_set,
  SYS_personality,
  SYS_sched_setaffinity,
  SYS_sched_setattr,
  SYS_set_mempolicy,
} from '../number.ts';

/** Bytes of struct sched_attr up to `sched_period`, Linux 3.14. */
const SCHED_ATTR_SIZE = 48;
const IOPRIO_WHO_PROCESS = 1;

export type SchedulerAttributes = {
  policy: number;
  flags: number;
  nice: number;
  priority: number;
  /** Nanoseconds. */
  runtime: bigint;
  deadline: bigint;
  period: bigint;
};

/** How the kernel runs the calling process: on which CPUs and nodes, when, and as what. */
export interface SchedulingCalls {
  /** `name` is how an error calls the policy. */
  schedSetattr(attributes: SchedulerAttributes, name: string): void;
  /** A bit for each CPU; what a cpuset or the machine does not have is left out. EINVAL when nothing remains. */
  schedSetaffinity(mask: Uint8Array): void;
  /** Class and level in one number. */
  ioprioSet(priority: number): void;
  personality(domain: number): void;
  /** A bit for each node. `name` is how an error calls the mode. */
  setMempolicy(mode: number, nodes: Uint8Array, name: string): void;
}

export function schedulingCalls({ raw, integers, check }: Kernel): SchedulingCalls {
  const structure = raw('long', 'void *', 'long', 'long', 'long');
  const mask = raw('long', 'long', 'void *', 'long', 'long');
  const structureAndSize = raw('long', 'void *', 'ulong', 'long', 'long');

  const attr = Buffer.alloc(SCHED_ATTR_SIZE);

  return {
    schedSetattr({ policy, flags, nice, priority, runtime, deadline, period }, name) {
      attr.writeUInt32LE(SCHED_ATTR_SIZE, 0);
      attr.writeUInt32LE(policy, 4);
      attr.writeBigUInt64LE(BigInt(flags), 8);
      attr.writeInt32LE(nice, 16);
      attr.writeUInt32LE(priority, 20);
      attr.writeBigUInt64LE(runtime, 24);
      attr.writeBigUInt64LE(deadline, 32);
      attr.writeBigUInt64LE(period, 40);
      check('sched_setattr', name, structure, SYS_sched_setattr, 0, attr, 0, 0, 0);
    },
    schedSetaffinity(cpus) {
      check(
        'sched_setaffinity',
        undefined,
        mask,
        SYS_sched_setaffinity,
        0,
        cpus.length,
        cpus,
        0,
        0,
      );
    },
    ioprioSet(priority) {
      check(
        'ioprio_set',
        undefined,
        integers,
        SYS_ioprio_set,
        IOPRIO_WHO_PROCESS,
        0,
        priority,
        0,
        0,
      );
    },
    personality: (domain) =>
      void check('personality', undefined, integers, SYS_personality, domain, 0, 0, 0, 0),
    setMempolicy(mode, nodes, name) {
      // The kernel counts one bit less than it is told.
      const bits = nodes.length * 8 + 1;
      check('set_mempolicy', name, structureAndSize, SYS_set_mempolicy, mode, nodes, bits, 0, 0);
    },
  };
}
