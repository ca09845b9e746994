import { readFileSync } from 'node:fs';
import type { InheritedLimits } from '../plan/plan-process.ts';

const usualSoftLimit = 1024;
const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

type Limits = { nofileHard: bigint; core: { soft: bigint; hard: bigint } };

let own: Limits | undefined;

/**
 * The limits that a program should get when its specification sets none: of open files this
 * process's hard limit, and the usual soft one, because Node has overwritten its own; of core files
 * this process's own, where the zygote gives its up (see zygote/isolation.ts).
 */
export function inheritedLimits(nofileSoft: number = usualSoftLimit): InheritedLimits {
  own ??= readLimits(readFileSync('/proc/self/limits', 'utf8'));
  const { nofileHard, core } = own;
  const soft = BigInt(nofileSoft);
  return {
    nofileSoft: soft < nofileHard ? soft : nofileHard,
    nofileHard,
    ...(process.geteuid?.() === 0 ? {} : { core }),
  };
}

/** @param limits the text of /proc/self/limits, see proc_pid_limits(5) */
function readLimits(limits: string): Limits {
  const read = (name: string): { soft: bigint; hard: bigint } => {
    const [, soft, hard] = new RegExp(`^${name}\\s+(\\S+)\\s+(\\S+)`, 'm').exec(limits) ?? [];
    return { soft: toLimit(soft), hard: toLimit(hard) };
  };
  return { nofileHard: read('Max open files').hard, core: read('Max core file size') };
}

const toLimit = (text: string | undefined): bigint =>
  text === undefined || text === 'unlimited' ? RLIM_INFINITY : BigInt(text);
