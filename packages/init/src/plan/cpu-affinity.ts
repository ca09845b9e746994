import type { OciExecCpuAffinity } from '../config/spec/attributes.ts';
import { type NumberRanges, parseNumberList } from './number-list.ts';

/** More CPUs than any kernel is built for (8192): a mask that is too short would lose the rest. */
export const CPU_MASK_BYTES = 8192;
export const highestCpu: number = CPU_MASK_BYTES * 8 - 1;

/** For a process that enters a running container. */
export type PlannedCpuAffinity = {
  /** Before it enters the container's cgroup. */
  initial: NumberRanges | undefined;
  /** From then on. Without it the kernel decides. */
  final: NumberRanges | undefined;
};

/** `undefined` where nothing is to be set. */
export function planExecCpuAffinity(
  affinity: OciExecCpuAffinity | undefined,
): PlannedCpuAffinity | undefined {
  const list = (text: string | undefined): NumberRanges | undefined =>
    text === undefined || text === '' ? undefined : parseNumberList(text);
  const planned = { initial: list(affinity?.initial), final: list(affinity?.final) };
  return planned.initial === undefined && planned.final === undefined ? undefined : planned;
}
