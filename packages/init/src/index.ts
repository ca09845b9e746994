export { removeCgroup } from './cgroup/cgroup.ts';
export { type Hierarchy, readHierarchies } from './cgroup/hierarchies.ts';
export type { SpecField, SpecVersion } from './config/fields/spec-field.ts';
export { specFields, specVersion } from './config/fields/spec-fields.ts';
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
export { refuseUnsupported, unsupportedFields } from './config/refuse-unsupported.ts';
export { stockSpec } from './config/stock-spec.ts';
export {
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
export { features } from './features/features.ts';
export type { OciFeatures, OciLinuxFeatures, OciSeccompFeatures } from './features/oci-features.ts';
export { ociFeaturesSchema } from './features/oci-features-schema.ts';
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
export {
  canForkHere,
  localZygoteFlags,
  optionalZygoteFlags,
  requiredZygoteFlags,
} from './zygote/zygote-flags.ts';
