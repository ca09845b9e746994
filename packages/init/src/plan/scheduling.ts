import type { OciSpec } from '../config/oci-spec.ts';
import type { OciPersonality } from '../config/spec/attributes.ts';
import { planMemoryPolicy, type PlannedMemoryPolicy } from './memory-policy.ts';
import { planIoPriority, type PlannedScheduler, planScheduler } from './scheduler.ts';

/** How the kernel runs the process; each is left as it is where the configuration has nothing. */
export type PlannedScheduling = {
  scheduler: PlannedScheduler | undefined;
  /** For ioprio_set(2). */
  ioPriority: number | undefined;
  /** For personality(2). */
  personality: number | undefined;
  memoryPolicy: PlannedMemoryPolicy | undefined;
};

// linux/personality.h
const domains: Readonly<Record<OciPersonality['domain'], number>> = { LINUX: 0, LINUX32: 8 };

/** @throws InvalidConfigError, UnsupportedConfigError as its parts */
export function planScheduling(spec: Pick<OciSpec, 'process' | 'linux'>): PlannedScheduling {
  const personality = spec.linux?.personality ?? undefined;
  return {
    scheduler: planScheduler(spec.process.scheduler ?? undefined),
    ioPriority: planIoPriority(spec.process.ioPriority ?? undefined),
    personality: personality === undefined ? undefined : domains[personality.domain],
    memoryPolicy: planMemoryPolicy(spec.linux?.memoryPolicy ?? undefined),
  };
}
