import { posix } from 'node:path';
import type { LaunchPlan, OciLinux } from '@pilotlight/init';
import type { RuncCgroup, RuncDeviceRule } from './runc-config.ts';

/** `a`, `b`, `c` as code points. */
const codePoint = { a: 97, b: 98, c: 99 } as const;
const EVERY = -1;

/**
 * The cgroup of a launch in the terms of runc: where the specification wanted it, and its limits, of which we set none
 * but those on devices.
 *
 * All limits of runc 1.1.5 are written out with the value that means none: it loads no state without them.
 */
export function describeCgroup(
  { cgroupsPath }: Pick<OciLinux, 'cgroupsPath'>,
  { id, cgroup }: Pick<LaunchPlan, 'id' | 'cgroup'>,
): RuncCgroup {
  const wanted = cgroupsPath ?? '';
  return {
    ...(wanted === '' ? { name: id } : {}),
    path: wanted === '' ? '' : cleanPath(wanted),
    scope_prefix: '',
    devices: cgroup?.deviceRules?.map(describeRule) ?? [everyDevice],
    memory: 0,
    memory_reservation: 0,
    memory_swap: 0,
    cpu_shares: 0,
    cpu_quota: 0,
    cpu_period: 0,
    cpu_rt_quota: 0,
    cpu_rt_period: 0,
    cpuset_cpus: '',
    cpuset_mems: '',
    pids_limit: 0,
    blkio_weight: 0,
    blkio_leaf_weight: 0,
    blkio_weight_device: null,
    blkio_throttle_read_bps_device: null,
    blkio_throttle_write_bps_device: null,
    blkio_throttle_read_iops_device: null,
    blkio_throttle_write_iops_device: null,
    freezer: '',
    hugetlb_limit: null,
    oom_kill_disable: false,
    memory_swappiness: null,
    net_prio_ifpriomap: null,
    net_cls_classid_u: 0,
    rdma: null,
    cpu_weight: 0,
    unified: null,
    Systemd: false,
    Rootless: false,
  };
}

/** Without rules in the specification nothing is restricted. */
const everyDevice: RuncDeviceRule = {
  type: codePoint.a,
  major: EVERY,
  minor: EVERY,
  permissions: 'rwm',
  allow: true,
};

type PlannedRule = NonNullable<NonNullable<LaunchPlan['cgroup']>['deviceRules']>[number];

function describeRule({ allow, type, major, minor, access }: PlannedRule): RuncDeviceRule {
  return {
    type: codePoint[type],
    major: major ?? EVERY,
    minor: minor ?? EVERY,
    permissions: access,
    allow,
  };
}

/** A relative path stays relative. Plans refuse what leads upwards. */
const cleanPath = (path: string): string => posix.normalize(path).replace(/(.)\/$/, '$1');
