import { isSyscallError, type SyscallError } from '@pilotlight/scm-rights';
import type { InitConfig } from '../config/init-config.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { setGroups } from './set-groups.ts';
import { attempting } from './step-failure.ts';

const highestPossibleCapability = 63;

/**
 * Becomes the user of the configuration with exactly its capabilities.
 *
 * The order is the kernel's: the bounding set needs CAP_SETPCAP, groups need CAP_SETGID, so both
 * come before the user id; leaving uid 0 drops the permitted set unless KEEPCAPS is on, and the
 * ambient set can only hold what is permitted and inheritable, so it comes last. capabilities(7).
 */
export function becomeUser(sys: Syscall, config: InitConfig): void {
  const { user, capabilities } = config;
  dropBoundingSet(sys, capabilities.bounding);
  sys.setKeepCapabilities(true);
  if (config.canSetGroups) setGroups(sys, user.additionalGids);
  sys.setresgid(user.gid);
  sys.setresuid(user.uid);
  sys.setKeepCapabilities(false);
  attempting('set capabilities', { hint: capabilityHint }, () =>
    sys.capset({
      effective: mask(capabilities.effective),
      permitted: mask(capabilities.permitted),
      inheritable: mask(capabilities.inheritable),
    }),
  );
  sys.clearAmbientCapabilities();
  for (const capability of capabilities.ambient) {
    // The kernel refuses to raise what is not in both sets; runc leaves such a name out as well.
    const possible =
      capabilities.permitted.includes(capability) && capabilities.inheritable.includes(capability);
    if (possible) sys.raiseAmbientCapability(capability);
  }
}

function capabilityHint({ code }: SyscallError): string | undefined {
  return code === 'EPERM'
    ? 'process.capabilities lists what the launching process lacks itself, or an effective capability that is not permitted; compare CapBnd in /proc/self/status.'
    : undefined;
}

function dropBoundingSet(sys: Syscall, kept: readonly number[]): void {
  for (let capability = 0; capability <= highestPossibleCapability; capability++) {
    if (kept.includes(capability)) continue;
    try {
      sys.dropBoundingCapability(capability);
    } catch (error) {
      // One above the last that this kernel knows.
      if (isSyscallError(error, 'EINVAL')) return;
      throw error;
    }
  }
}

const mask = (capabilities: readonly number[]): bigint =>
  capabilities.reduce((bits, capability) => bits | (1n << BigInt(capability)), 0n);
