import { readFileSync } from 'node:fs';
import type { OciSpec } from '@pilotlight/init';
import { PrivilegeError } from '../../errors.ts';

const CAP_SYS_ADMIN = 21n;

/**
 * Throws PrivilegeError for a caller without CAP_SYS_ADMIN, capabilities(7), whose container has no user namespace, which
 * anybody may make. Asked before anything is made, so that the
 * answer is not a refusal by some directory on the way.
 */
export function requirePrivilege(uid: number, spec: OciSpec): void {
  if (hasUserNamespace(spec)) return;
  const status = readFileSync('/proc/self/status', 'utf8');
  if (!hasCapability(status, CAP_SYS_ADMIN)) throw new PrivilegeError('run', uid);
}

/** Whether the text of /proc/pid/status shows the capability as effective; proc_pid_status(5). */
export function hasCapability(status: string, capability: bigint): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return effective !== undefined && ((BigInt(`0x${effective}`) >> capability) & 1n) === 1n;
}

/** Whether the program is in another user namespace than this process. */
export const hasUserNamespace = ({ linux }: OciSpec): boolean =>
  (linux?.namespaces ?? []).some(({ type }) => type === 'user');
