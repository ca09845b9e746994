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
export type { SpecField, SpecVersion } from './config/fields/spec-field.ts';
export { specFields, specVersion } from './config/fields/spec-fields.ts';
export { hostRootSpec, type HostRootOptions } from './config/host-root-spec.ts';
export { type Bundle, loadBundle, parseSpec, validateSpec } from './config/load-bundle.ts';
export type {
  OciSeccomp,
  OciSeccompAction,
  OciSeccompArg,
  OciSeccompFlag,
  OciSeccompOperator,
  OciSeccompRule,
} from './config/spec/seccomp.ts';
export type {
  OciCapabilitySets,
  OciDevice,
  OciDeviceRule,
  OciLinux,
  OciMount,
  OciProcess,
  OciRootfsPropagation,
  OciRlimit,
  OciSpec,
  OciUser,
} from './config/oci-spec.ts';
export type {
  OciExecCpuAffinity,
  OciIntelRdt,
  OciIoPriority,
  OciMemoryPolicy,
  OciNetDevice,
  OciPersonality,
  OciScheduler,
} from './config/spec/attributes.ts';
export type {
  OciIdMapping,
  OciNamespace,
  OciNamespaceType,
  OciTimeOffset,
  OciTimeOffsets,
} from './config/spec/namespaces.ts';
export { hookKinds, type OciHook, type OciHookKind, type OciHooks } from './config/spec/hooks.ts';
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
export { rootlessSpec, type RootlessOptions } from './config/rootless-spec.ts';
export { stockSpec } from './config/stock-spec.ts';
export type { End, EndReason } from './end/end.ts';
export { explain } from './explain/explain.ts';
export type { ExplainedStep } from './explain/explained-step.ts';
export { renderExplanation } from './explain/render-explanation.ts';
export type { RunLimitOptions } from './end/run-limits.ts';
export {
  CgroupError,
  ChildDiedError,
  InitPackageError,
  InvalidConfigError,
  isLaunchError,
  LaunchError,
  type LaunchErrorJson,
  type LaunchFailure,
  TreeAliveError,
  UnknownExitError,
  UnsupportedConfigError,
  ZygoteError,
} from './errors.ts';
export { features } from './features/features.ts';
export type { OciFeatures, OciLinuxFeatures, OciSeccompFeatures } from './features/oci-features.ts';
export { ociFeaturesSchema } from './features/oci-features-schema.ts';
export {
  OCI_VERSION,
  type OciState,
  ociState,
  type OciStateFacts,
  type OciStatus,
} from './hooks/oci-state.ts';
export { launch, type LaunchConfig, type LaunchOptions, prepareLaunch } from './parent/launch.ts';
export { exec, type ExecConfig, type ExecOptions, prepareExec } from './parent/exec/exec.ts';
export type { PreparedLaunch } from './parent/prepare.ts';
export { type PoststopOptions, runPoststopHooks } from './parent/hooks/poststop.ts';
export type { LaunchedProcess, Output } from './parent/launched-process.ts';
export type {
  LaunchAbortEvent,
  LaunchEndEvent,
  LaunchErrorEvent,
  LaunchPhaseEvent,
  LaunchStartEvent,
  ZygoteFallbackEvent,
} from './parent/launch-channels.ts';
export { localZygote } from './parent/local-zygote.ts';
export type { LaunchPhase } from './parent/phases.ts';
export type { TranscriptSink } from './parent/transcript.ts';
export {
  defaultStdio,
  openStdio,
  type Stdio,
  type StdioOption,
  type StdioOptions,
} from './parent/stdio.ts';
export type { WebStreams } from './parent/web-streams.ts';
export type { ForkedChild, ForkRequest, Zygote } from './parent/zygote.ts';
export { sharedZygote } from './parent/shared-zygote.ts';
export { type SpawningZygoteOptions, startSpawningZygote } from './parent/spawning-zygote.ts';
export { startZygote, type ZygoteOptions } from './parent/zygote-process.ts';
export { type LaunchPlan, planLaunch, type PlanInput } from './plan/plan-launch.ts';
export { seccompFeatures, type SeccompFeatures } from './seccomp/features.ts';
export { canForkHere, optionalZygoteFlags, requiredZygoteFlags } from './zygote/zygote-flags.ts';
