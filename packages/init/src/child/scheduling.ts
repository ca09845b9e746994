import type { SyscallError } from '@pilotlight/scm-rights';
import { NODE_MASK_BITS } from '../plan/memory-policy.ts';
import { numberMask } from '../plan/number-list.ts';
import type { PlannedScheduling } from '../plan/scheduling.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { attempting } from './step-failure.ts';

/** Sets how the kernel runs this process and whatever it becomes; all of it survives execve(2). */
export function setScheduling(sys: Syscall, planned: PlannedScheduling): void {
  const { scheduler, ioPriority, personality, memoryPolicy } = planned;
  if (scheduler !== undefined) {
    const { name, runtime, deadline, period, ...rest } = scheduler;
    const times = {
      runtime: BigInt(runtime),
      deadline: BigInt(deadline),
      period: BigInt(period),
    };
    attempting(`set scheduler ${name}`, { hint: schedulerHint }, () =>
      sys.schedSetattr({ ...rest, ...times }, name),
    );
  }
  if (ioPriority !== undefined) {
    attempting('set I/O priority', { hint: ioPriorityHint }, () => sys.ioprioSet(ioPriority));
  }
  if (personality !== undefined) {
    attempting('set personality', {}, () => sys.personality(personality));
  }
  if (memoryPolicy !== undefined) {
    const { name, mode, nodes } = memoryPolicy;
    attempting(`set memory policy ${name}`, { hint: memoryPolicyHint }, () =>
      sys.setMempolicy(mode, numberMask(nodes, NODE_MASK_BITS / 8), name),
    );
  }
}

function schedulerHint({ code }: SyscallError): string | undefined {
  switch (code) {
    case 'EPERM':
      return 'Real-time and deadline scheduling need CAP_SYS_NICE, and in a cgroup of v1 with group scheduling cpu.rt_runtime_us; deadline scheduling needs every CPU of the machine.';
    case 'EBUSY':
      return 'The CPUs have not enough time left for this runtime and period; see sched(7).';
    case 'EINVAL':
      return 'This kernel does not take these values together; see sched_setattr(2).';
    default:
      return undefined;
  }
}

function ioPriorityHint({ code }: SyscallError): string | undefined {
  return code === 'EPERM' ? 'IOPRIO_CLASS_RT needs CAP_SYS_ADMIN or CAP_SYS_NICE.' : undefined;
}

function memoryPolicyHint({ code }: SyscallError): string | undefined {
  return code === 'EINVAL'
    ? 'The nodes must be online and in the cpuset, see /sys/devices/system/node/online, and the kernel must know the mode: MPOL_PREFERRED_MANY came with 5.15, MPOL_WEIGHTED_INTERLEAVE with 6.9.'
    : undefined;
}
