/** Entry point `./containerd`: processes in the layout of containerd's runtime of winter 2015/16, beside our own records. */
export {
  BadRecordError,
  BusyError,
  CleanupError,
  ControlFifoError,
  ForeignNamespaceError,
  IdInUseError,
  InvalidIdError,
  isStoreError,
  NoConsoleError,
  NotExitedError,
  NotFoundError,
  NotRunningError,
  NotStoppedError,
  PidFileError,
  ProcessClosedError,
  StoreError,
  UnknownStatusError,
  UnprovenProcessError,
} from './errors.ts';
export {
  ControlLines,
  type ControlMessage,
  formatControlLine,
  parseControlLine,
} from './containerd/control-line.ts';
export { defaultStateRoot, INIT_PROCESS_ID } from './containerd/layout.ts';
export { type LoadedProcesses, loadProcess, loadProcesses } from './containerd/load-process.ts';
export {
  type NewExec,
  type NewInit,
  newProcess,
  type NewProcessRequest,
} from './containerd/new-process.ts';
export { Process } from './containerd/process.ts';
export {
  decodeProcessSpec,
  encodeProcessSpec,
  type ProcessSpec,
  type StdioPaths,
} from './containerd/process-json.ts';
export { readPid, type ReadPidOptions } from './containerd/read-pid.ts';
export {
  type ContainerState,
  decodeContainerState,
  encodeContainerState,
} from './containerd/state-json.ts';
export type {
  StartRequest,
  SupervisedProcess,
  SupervisedStore,
} from './containerd/supervised-store.ts';
