/** Entry point `./runcext`: executing processes in runc's containers through embedshim's exec wrapper, both sides of it. */
export {
  CleanupError,
  ExecFailedError,
  ExecUsageError,
  InvalidIdError,
  isStoreError,
  PidFileError,
  RuntimeError,
  WrapperError,
} from './errors.ts';
export { ExecutedProcess } from './runcext/executed-process.ts';
export { type ExecExtCommand, parseExecExt } from './runcext/parse-exec-ext.ts';
export {
  inheritedProcSyncChannel,
  type ProcSyncChannel,
  procSyncChannel,
  procSyncVariable,
} from './runcext/proc-sync-socket.ts';
export { readPidFile } from './runcext/read-pid-file.ts';
export {
  runcCreateArgs,
  type RuncCreateOptions,
  runcExecArgs,
  type RuncExecOptions,
} from './runcext/runc-args.ts';
export { defaultRuntime, runtimeCommand, type RuntimeOptions } from './runcext/runtime-command.ts';
export { runtimeEnvironment } from './runcext/runtime-environment.ts';
export { serveExec, type ServeExecOptions } from './runcext/serve-exec.ts';
export {
  type ExecStdio,
  startExec,
  type StartExecOptions,
  type WatchedProcess,
} from './runcext/start-exec.ts';
