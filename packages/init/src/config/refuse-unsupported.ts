import { knownResources } from '../cgroup/plan-resources.ts';
import { UnsupportedConfigError } from '../errors.ts';
import type { OciSpec } from './oci-spec.ts';

type Refusal = { field: string; reason: string };

const later = 'this version does not set it up yet';
const isSet = (value: unknown): boolean =>
  value !== undefined &&
  value !== null &&
  value !== '' &&
  !(Array.isArray(value) && value.length === 0) &&
  !(typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length === 0);

/** Every known property that a launch would have to ignore, in the order of the specification. */
export function unsupportedFields(spec: OciSpec): Refusal[] {
  const { process } = spec;
  const linux = spec.linux ?? {};
  const refusals: Refusal[] = [];
  const refuse = (field: string, value: unknown, reason: string = later): void => {
    if (isSet(value)) refusals.push({ field, reason });
  };

  refuse(
    'process.user.username',
    process.user?.username,
    'on Linux a user is named by uid and gid',
  );
  for (const [name, value] of Object.entries(linux.resources ?? {})) {
    if (!knownResources.includes(name)) refuse(`linux.resources.${name}`, value);
  }
  return refusals;
}

/**
 * Throws when the specification asks for something that would have to be ignored.
 *
 * @throws UnsupportedConfigError naming the first such field and counting the others
 */
export function refuseUnsupported(spec: OciSpec): void {
  const refusals = unsupportedFields(spec);
  const [first] = refusals;
  if (first === undefined) return;
  throw new UnsupportedConfigError(
    first.field,
    first.reason,
    refusals.slice(1).map((refusal) => refusal.field),
  );
}
