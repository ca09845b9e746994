import type { SpecField } from '../config/fields/spec-field.ts';
import { specFields, specVersion } from '../config/fields/spec-fields.ts';
import type { OciNamespaceType } from '../config/spec/namespaces.ts';
import { capabilityNames } from '../plan/capabilities.ts';
import { memoryPolicyFlags, memoryPolicyModes } from '../plan/memory-policy.ts';
import { mountOptionNames } from '../plan/mount-options.ts';
import type { OciFeatures } from './oci-features.ts';
import { knownSeccomp } from './known-seccomp.ts';

/**
 * What launches support, as the features structure of the OCI runtime specification 1.3.
 *
 * It says what this package can do, not what the host has, and comes from the table of fields
 * (docs/config.md): what is not honoured there is not promised here. Nothing is loaded for it:
 * what of `linux.seccomp` this host's libseccomp and kernel know, `supportedFlags` among it, is what
 * `seccompFeatures` asks them.
 */
export function features(): OciFeatures {
  return featuresOf(specFields());
}

/** The features of a package that has this table. */
export function featuresOf(fields: readonly SpecField[]): OciFeatures {
  /** Whether every row at or below this field is honoured, and there is one. */
  const has = (field: string): boolean => {
    const below = fields.filter(({ field: name }) => isAtOrBelow(name, field));
    return below.length > 0 && below.every(({ status }) => status === 'honoured');
  };
  const valuesOf = (field: string): string[] =>
    fields.flatMap(({ field: name, value, status }) =>
      name === field && value !== undefined && status === 'honoured' ? [value] : [],
    );
  const hookKinds = new Set(
    fields.flatMap(({ field }) => /^hooks\.(\w+)\[\]/.exec(field)?.slice(1) ?? []),
  );
  return {
    ociVersionMin: '1.0.0',
    ociVersionMax: specVersion,
    hooks: [...hookKinds].filter((kind) => has(`hooks.${kind}[]`)),
    mountOptions: has('mounts[].options') ? mountOptionNames() : [],
    linux: {
      namespaces: valuesOf('linux.namespaces[].type') as OciNamespaceType[],
      capabilities: has('process.capabilities') ? [...capabilityNames] : [],
      cgroup: {
        v1: has('linux.cgroupsPath'),
        v2: has('linux.cgroupsPath'),
        systemd: has('linux.cgroupsPath'),
        systemdUser: has('linux.cgroupsPath'),
        rdma: has('linux.resources.rdma'),
      },
      seccomp: knownSeccomp(has('linux.seccomp')),
      apparmor: { enabled: has('process.apparmorProfile') },
      selinux: { enabled: has('process.selinuxLabel') && has('linux.mountLabel') },
      memoryPolicy: has('linux.memoryPolicy')
        ? { modes: memoryPolicyModes(), flags: memoryPolicyFlags() }
        : { modes: [], flags: [] },
      intelRdt: {
        enabled:
          has('linux.intelRdt.closID') &&
          has('linux.intelRdt.l3CacheSchema') &&
          has('linux.intelRdt.memBwSchema'),
        schemata: has('linux.intelRdt.schemata'),
        monitoring: has('linux.intelRdt.enableMonitoring'),
      },
      mountExtensions: {
        idmap: { enabled: has('mounts[].uidMappings') && has('mounts[].gidMappings') },
      },
      netDevices: { enabled: has('linux.netDevices') },
    },
    annotations: {},
    potentiallyUnsafeConfigAnnotations: [],
  };
}

const isAtOrBelow = (name: string, field: string): boolean =>
  name === field || (name.startsWith(field) && /^[.[]/.test(name.slice(field.length)));
