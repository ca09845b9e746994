import type { OciSeccompFeatures } from './oci-features.ts';

/**
 * What filters of system calls can hold: the lists belong to whoever compiles filters.
 *
 * @param enabled whether the table of fields has filters as honoured
 */
export const seccompFeatures = (enabled: boolean): OciSeccompFeatures => ({ enabled });
