export { removeCgroup } from './cgroup/cgroup.ts';
export { type FreezeOptions, freezeCgroup, thawCgroup } from './cgroup/freeze.ts';
export { killCgroup, type KillOptions } from './cgroup/kill.ts';
export type { CgroupManager } from './cgroup/plan-cgroup.ts';
export { cgroupProcesses } from './cgroup/processes.ts';
export { cgroupStats } from './cgroup/stats.ts';
export type {
  BlkioEntry,
  BlkioStats,
  CgroupStats,
  CpuStats,
  CpuThrottling,
  HugetlbStats,
  MemoryAmount,
  MemoryStats,
  PidsStats,
  Pressure,
  PressureLine,
  RdmaEntry,
} from './cgroup/stats-types.ts';
export { updateCgroup } from './cgroup/update.ts';
export { type CgroupEvent, watchCgroup, type WatchOptions } from './cgroup/watch.ts';
export { type CgroupCounters, readCgroupCounters } from './cgroup/counters.ts';
export { type Hierarchy, readHierarchies } from './cgroup/hierarchies.ts';
export { hostRootSpec, type HostRootOptions } from './config/host-root-spec.ts';
export { type Bundle, loadBundle, parseSpec, validateSpec } from './config/load-bundle.ts';
export type {
  OciCapabilitySets,
  OciDeviceRule,
  OciLinux,
  OciMount,
  OciNamespace,
  OciNamespaceType,
  OciProcess,
  OciRlimit,
  OciSpec,
  OciUser,
} from './config/oci-spec.ts';
export { ociSpecSchema } from './config/oci-spec-schema.ts';
export type {
  OciBlockIO,
  OciCpu,
  OciHugepageLimit,
  OciMemory,
  OciNetworkResources,
  OciPids,
  OciRdma,
  OciResources,
  OciThrottleDevice,
  OciWeightDevice,
} from './config/spec/resources.ts';
export { refuseUnsupported, unsupportedFields } from './config/refuse-unsupported.ts';
export { stockSpec } from './config/stock-spec.ts';
export {
  CgroupError,
  ChildDiedError,
  InitPackageError,
  InvalidConfigError,
  isLaunchError,
  LaunchError,
  type LaunchFailure,
  UnknownExitError,
  UnsupportedConfigError,
  ZygoteError,
} from './errors.ts';
export {
  launch,
  type LaunchConfig,
  type LaunchOptions,
  prepareLaunch,
  type PreparedLaunch,
} from './parent/launch.ts';
export type { LaunchedProcess } from './parent/launched-process.ts';
export { localZygote } from './parent/local-zygote.ts';
export type { LaunchPhase } from './parent/phases.ts';
export type { TranscriptSink } from './parent/transcript.ts';
export type { StdioOption, StdioOptions } from './parent/stdio.ts';
export type { ForkedChild, ForkRequest, Zygote } from './parent/zygote.ts';
export { sharedZygote, startZygote, type ZygoteOptions } from './parent/zygote-process.ts';
export { type LaunchPlan, planLaunch, type PlanInput } from './plan/plan-launch.ts';
export { canForkHere, optionalZygoteFlags, requiredZygoteFlags } from './zygote/zygote-flags.ts';
