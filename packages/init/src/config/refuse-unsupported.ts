import { knownResources } from '../cgroup/plan-resources.ts';
import { UnsupportedConfigError } from '../errors.ts';
import type { OciSpec } from './oci-spec.ts';

type Refusal = { field: string; reason: string };

const later = 'this version does not set it up yet';
const keptPropagations = ['private', 'rprivate', 'slave', 'rslave'];
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
  refuse('process.apparmorProfile', process.apparmorProfile);
  refuse('process.selinuxLabel', process.selinuxLabel);
  refuse('process.scheduler', process.scheduler);
  refuse('process.ioPriority', process.ioPriority);
  refuse('process.execCPUAffinity', process.execCPUAffinity);

  for (const [kind, hooks] of Object.entries(spec.hooks ?? {})) refuse(`hooks.${kind}`, hooks);

  for (const [index, mount] of (spec.mounts ?? []).entries()) {
    refuse(
      `mounts[${index}].uidMappings`,
      mount.uidMappings,
      'idmapped mounts come with user namespaces',
    );
    refuse(
      `mounts[${index}].gidMappings`,
      mount.gidMappings,
      'idmapped mounts come with user namespaces',
    );
  }

  for (const [index, namespace] of (linux.namespaces ?? []).entries()) {
    const field = `linux.namespaces[${index}]`;
    if (namespace.type === 'user' || namespace.type === 'time') {
      refusals.push({
        field,
        reason: `a ${namespace.type} namespace cannot be made by this version`,
      });
    }
    refuse(`${field}.path`, namespace.path, 'joining an existing namespace is not possible yet');
  }
  if (!keptPropagations.includes(linux.rootfsPropagation ?? 'rslave')) {
    refuse(
      'linux.rootfsPropagation',
      linux.rootfsPropagation,
      `only ${keptPropagations.join(', ')} can be given to the root yet`,
    );
  }
  refuse('linux.uidMappings', linux.uidMappings);
  refuse('linux.gidMappings', linux.gidMappings);
  refuse('linux.devices', linux.devices);
  refuse('linux.sysctl', linux.sysctl);
  refuse('linux.seccomp', linux.seccomp);
  refuse('linux.mountLabel', linux.mountLabel);
  // Also when it is empty, which already asks for a group of its own.
  if (linux.intelRdt !== undefined && linux.intelRdt !== null) {
    refusals.push({ field: 'linux.intelRdt', reason: later });
  }
  refuse('linux.personality', linux.personality);
  refuse('linux.timeOffsets', linux.timeOffsets);
  refuse('linux.netDevices', linux.netDevices);
  refuse('linux.memoryPolicy', linux.memoryPolicy);
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
