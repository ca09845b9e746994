export {
  BadRecordError,
  BusyError,
  CleanupError,
  ForeignNamespaceError,
  IdInUseError,
  InvalidIdError,
  isStoreError,
  NotFoundError,
  NotRunningError,
  NotStoppedError,
  RootError,
  StillAliveError,
  StoreError,
} from './errors.ts';
export type { DeleteOptions } from './process/delete.ts';
export type { LaunchRequest } from './process/launch.ts';
export type { Launched, Launcher, LaunchStep, Prepared } from './process/store-context.ts';
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
export { generateRecordId, parseRecordId } from './record/record-id.ts';
export type { SpecSummary } from './record/spec-record.ts';
export type { Probe } from './root/store-root.ts';
export { openStore, type OpenStoreOptions, type ProcessList, ProcessStore } from './store.ts';
export { StoredProcess } from './stored-process.ts';
