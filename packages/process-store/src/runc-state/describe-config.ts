import { posix } from 'node:path';
import type { LaunchPlan, OciCapabilitySets, OciNamespaceType, OciSpec } from '@pilotlight/init';
import { describeCgroup } from './describe-cgroup.ts';
import { describeMount, propagationFlags } from './describe-mount.ts';
import { refuseUntranslated } from './refuse-untranslated.ts';
import type { RuncCapabilities, RuncConfig, RuncDevice } from './runc-config.ts';

/** libcontainer/configs/namespaces_linux.go; the constants of clone(2) without CLONE_. */
export const namespaceTypes: Readonly<Record<OciNamespaceType, string>> = {
  cgroup: 'NEWCGROUP',
  ipc: 'NEWIPC',
  mount: 'NEWNS',
  network: 'NEWNET',
  pid: 'NEWPID',
  time: 'NEWTIME',
  user: 'NEWUSER',
  uts: 'NEWUTS',
};

/** What runc does in a network namespace of the container's own: the loopback device, up. */
const loopback = {
  type: 'loopback',
  name: '',
  bridge: '',
  mac_address: '',
  address: '',
  gateway: '',
  ipv6_address: '',
  ipv6_gateway: '',
  mtu: 0,
  txqueuelen: 0,
  host_interface_name: '',
  hairpin_mode: false,
};

const noHooks = {
  createContainer: null,
  createRuntime: null,
  poststart: null,
  poststop: null,
  prestart: null,
  startContainer: null,
};

// inode(7)
const S_IFBLK = 0o6_0000;
const S_IFIFO = 0o1_0000;

/**
 * A launched specification as the configuration that runc 1.1.5 keeps, members in its order.
 *
 * `plan` is what @pilotlight/init made of the specification. Throws RuncStateError for a setting that has no translation.
 */
export function describeConfig(spec: OciSpec, bundle: string, plan: LaunchPlan): RuncConfig {
  refuseUntranslated(plan.id, spec);
  const { process } = spec;
  const linux = spec.linux ?? {};
  const { mounts, annotations, hostname, ociVersion } = spec;
  return {
    no_pivot_root: plan.init.rootfs.noPivot ?? false,
    parent_death_signal: 0,
    rootfs: posix.resolve(bundle, spec.root.path),
    umask: process.user?.umask ?? null,
    readonlyfs: spec.root.readonly ?? false,
    rootPropagation: propagationFlags(linux.rootfsPropagation ?? '') ?? 0,
    mounts: orNull(mounts?.map((mount) => describeMount(mount, bundle))),
    devices: plan.init.devices.map(describeDevice),
    mount_label: '',
    hostname: hostname ?? '',
    namespaces: (linux.namespaces ?? []).map(({ type }) => ({
      type: namespaceTypes[type],
      path: '',
    })),
    capabilities: describeCapabilities(process.capabilities),
    networks: plan.init.loopbackUp ? [loopback] : null,
    routes: null,
    cgroups: describeCgroup(linux, plan),
    ...(process.oomScoreAdj === undefined ? {} : { oom_score_adj: process.oomScoreAdj }),
    uid_mappings: null,
    gid_mappings: null,
    mask_paths: orNull(linux.maskedPaths),
    readonly_paths: orNull(linux.readonlyPaths),
    sysctl: null,
    seccomp: null,
    ...(process.noNewPrivileges === true ? { no_new_privileges: true } : {}),
    Hooks: noHooks,
    version: ociVersion,
    labels: describeLabels(annotations ?? {}, bundle),
    no_new_keyring: false,
  };
}

function describeDevice(device: LaunchPlan['init']['devices'][number]): RuncDevice {
  const { path, type, major, minor, mode, uid, gid } = device;
  return {
    type: deviceLetter(type).charCodeAt(0),
    major,
    minor,
    permissions: 'rwm',
    allow: true,
    path,
    file_mode: mode,
    uid,
    gid,
  };
}

/** As mknod(1) has it. */
function deviceLetter(type: number): string {
  if (type === S_IFBLK) return 'b';
  return type === S_IFIFO ? 'p' : 'c';
}

function describeCapabilities(sets: OciCapabilitySets | null | undefined): RuncCapabilities | null {
  if (sets === undefined || sets === null) return null;
  const { bounding, effective, inheritable, permitted, ambient } = sets;
  return {
    Bounding: bounding ?? null,
    Effective: effective ?? null,
    Inheritable: inheritable ?? null,
    Permitted: permitted ?? null,
    Ambient: ambient ?? null,
  };
}

/** The bundle comes last, as runc has it. */
function describeLabels(annotations: Readonly<Record<string, string>>, bundle: string): string[] {
  const labels = Object.entries(annotations).map(([key, value]) => `${key}=${value}`);
  return [...labels.toSorted(), `bundle=${bundle}`];
}

function orNull<T>(items: readonly T[] | null | undefined): readonly T[] | null {
  return items === undefined || items === null || items.length === 0 ? null : items;
}
