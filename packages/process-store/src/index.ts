export {
  BadRecordError,
  BusyError,
  CannotTravelError,
  CleanupError,
  DamagedRecordError,
  DiskError,
  ForeignNamespaceError,
  HeldBackError,
  IdInUseError,
  FifoTimeoutError,
  InvalidCursorError,
  InvalidIdError,
  InvalidRestartError,
  LogDroppedError,
  LogError,
  LogOptionError,
  isStoreError,
  NewerSchemaError,
  MonitorError,
  NotFoundError,
  NotRunningError,
  NotStoppedError,
  RootError,
  RuncStateError,
  StdioError,
  StdioRequestError,
  StillAliveError,
  NoConsoleError,
  StoreError,
  TierError,
} from './errors.ts';
export type {
  EventFact,
  EventSubject,
  EventTime,
  LostEvents,
  StoreEvent,
} from './events/store-event.ts';
export type { WatchOptions } from './events/watch-events.ts';
export type { RemoveOptions } from './process/remove.ts';
export type { ExecRequest } from './process/exec.ts';
export type { LaunchRequest } from './process/launch.ts';
export type { LaunchConditions } from './process/launch-attempt.ts';
export type { ListOptions } from './process/load.ts';
export type {
  Executor,
  Launched,
  Launcher,
  LaunchStep,
  Prepared,
} from './process/store-context.ts';
export type { ProcessState } from './record/derive-state.ts';
export type {
  ExitedRecord,
  ExitRecord,
  ExitSource,
  SignaledRecord,
  UnknownExitRecord,
  UnknownReason,
} from './record/exit-record.ts';
export type { Tier } from './record/proc-record.ts';
export type { ExitStep } from './supervision/exit-step.ts';
export {
  type CriLog,
  type FileLog,
  type NoLog,
  parseLogOptions,
  type StoredLog,
} from './log/log-options.ts';
export { type LogLine, readLog, type ReadLogOptions } from './log/log-reader.ts';
export { type LastingStdio, type StdioRequest } from './stdio/choose-stdio.ts';
export type {
  FifoStream,
  FileStream,
  LogStream,
  NullStream,
  StoredInput,
  StoredOutput,
  StoredStdio,
  StoredStreams,
  StoredTerminal,
} from './stdio/stored-stdio.ts';
export type { RestartOptions } from './process/restart.ts';
export type { SignalOptions } from './process/signal.ts';
export type { StopOptions } from './process/stop.ts';
export { type BackOff, type RestartPolicy, type Restarts } from './restart/restart-policy.ts';
export { generateRecordId, parseRecordId } from './record/record-id.ts';
export { formatRecordKey, parseRecordKey, type RecordKey } from './record/record-key.ts';
export type { SpecSummary } from './record/spec-record.ts';
export type { AttendedRecord, MonitorDuty } from './monitor/duty.ts';
export type { MonitorInfo } from './monitor/wire/client-protocol.ts';
export type { StoreInfo } from './process/store-info.ts';
export type { Probe } from './root/store-root.ts';
export { tierFacts, type TierFacts } from './root/tier.ts';
export {
  listRuncStates,
  readRuncState,
  type RuncContainer,
  type RuncContainerList,
} from './runc-state/read-runc-state.ts';
export type {
  Int64,
  RuncCapabilities,
  RuncCgroup,
  RuncConfig,
  RuncDevice,
  RuncDeviceRule,
  RuncIdMapping,
  RuncMount,
  RuncMountAttributes,
  RuncNamespace,
} from './runc-state/runc-config.ts';
export { decodeRuncState, encodeRuncState, type RuncState } from './runc-state/runc-state.ts';
export type { RuncStatus } from './runc-state/runc-status.ts';
export { writeRuncState } from './runc-state/write-runc-state.ts';
export { openStore, type OpenStoreOptions, type ProcessList, ProcessStore } from './store.ts';
export { StoredProcess } from './stored-process.ts';
