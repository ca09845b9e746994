import { cgroupMounts } from './cgroups.ts';
import type { HostFailure, Probe } from './host-failure.ts';
import type { Host } from './host.ts';
import { filteredCall, missingCall } from './kernel-features.ts';
import { descriptorsRanOut, mountLimit, openFilesLimit, processLimit } from './limits.ts';
import { maskedProc } from './masked-proc.ts';
import { missingSysAdmin } from './privileges.ts';
import { missingSubIds } from './sub-ids.ts';
import { namespaceLimit, restrictedUserNamespaces } from './user-namespaces.ts';

/** From what explains a failure alone to what only may. */
const probes: readonly Probe[] = [
  missingCall,
  missingSubIds,
  restrictedUserNamespaces,
  namespaceLimit,
  maskedProc,
  cgroupMounts,
  mountLimit,
  openFilesLimit,
  descriptorsRanOut,
  processLimit,
  missingSysAdmin,
  filteredCall,
];

/**
 * What of this host explains a failed launch, and what to do about it; undefined where nothing does.
 *
 * Only for a launch that has failed: it reads small files of /proc, /sys and /etc.
 */
export function hintFromHost(failure: HostFailure, host: Host): string | undefined {
  for (const probe of probes) {
    const hint = probe(failure, host);
    if (hint !== undefined) return hint;
  }
  return undefined;
}
