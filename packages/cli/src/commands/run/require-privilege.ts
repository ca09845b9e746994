import { readFileSync } from 'node:fs';
import { PrivilegeError } from '../../errors.ts';

const CAP_SYS_ADMIN = 21n;

/**
 * Throws PrivilegeError for a caller without CAP_SYS_ADMIN; capabilities(7). Asked before anything is made, so that the
 * answer is not a refusal by some directory on the way.
 */
export function requirePrivilege(uid: number): void {
  const status = readFileSync('/proc/self/status', 'utf8');
  if (!hasCapability(status, CAP_SYS_ADMIN)) throw new PrivilegeError('run', uid);
}

/** Whether the text of /proc/pid/status shows the capability as effective; proc_pid_status(5). */
export function hasCapability(status: string, capability: bigint): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return effective !== undefined && ((BigInt(`0x${effective}`) >> capability) & 1n) === 1n;
}
