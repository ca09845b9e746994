import { readFileSync } from 'node:fs';
import type { InheritedLimits } from '../plan/plan-launch.ts';

const usualSoftLimit = 1024;
const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

let hardLimit: bigint | undefined;

/**
 * The limit of open files that a program should get when its specification sets none: this
 * process's hard limit, and the usual soft one, because Node has overwritten its own.
 */
export function inheritedLimits(nofileSoft: number = usualSoftLimit): InheritedLimits {
  hardLimit ??= readHardLimit(readFileSync('/proc/self/limits', 'utf8'));
  const soft = BigInt(nofileSoft);
  return { nofileSoft: soft < hardLimit ? soft : hardLimit, nofileHard: hardLimit };
}

function readHardLimit(limits: string): bigint {
  const [, hard] = /^Max open files\s+\S+\s+(\S+)/m.exec(limits) ?? [];
  return hard === undefined || hard === 'unlimited' ? RLIM_INFINITY : BigInt(hard);
}
