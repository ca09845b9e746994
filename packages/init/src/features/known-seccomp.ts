import {
  seccompActions,
  seccompArchitectures,
  seccompFlags,
  seccompOperators,
} from '../seccomp/names.ts';
import type { OciSeccompFeatures } from './oci-features.ts';

/** The names that a profile may hold, without asking libseccomp or the kernel; no lists where filters are not honoured. */
export const knownSeccomp = (enabled: boolean): OciSeccompFeatures =>
  enabled
    ? {
        enabled,
        actions: Object.keys(seccompActions).toSorted(),
        operators: Object.keys(seccompOperators).toSorted(),
        archs: seccompArchitectures.toSorted(),
        knownFlags: Object.keys(seccompFlags),
      }
    : { enabled };
