export { decodeInitConfig, encodeInitConfig, initConfigSchemas } from './init-config/codec.ts';
export type {
  ContainerConfig,
  GoInteger,
  InitCapabilities,
  InitCgroup,
  InitConfig,
  InitCpuAffinity,
  InitDevice,
  InitDeviceRule,
  InitHook,
  InitHooks,
  InitIdMap,
  InitIoPriority,
  InitMount,
  InitNetwork,
  InitRlimit,
  InitScheduler,
  InitSeccomp,
  InitThrottleDevice,
  InitWeightDevice,
} from './init-config/init-config.ts';
export type { InitConfigLayout } from './init-config/layouts.ts';
