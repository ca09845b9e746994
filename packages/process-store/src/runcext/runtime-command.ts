/** The options of a runtime that stand before its command, as runc has them. What is absent is not passed. */
export type RuntimeOptions = {
  /** The runtime: a path, or a name to look up; `runc` when absent. */
  readonly command?: string;
  /** Directory of the runtime's own state. */
  readonly root?: string;
  readonly debug?: boolean;
  /** File that the runtime appends its log to. */
  readonly log?: string;
  readonly logFormat?: 'text' | 'json';
  /** Path of criu(8), for runtimes that still ask for it. */
  readonly criu?: string;
  readonly systemdCgroup?: boolean;
  /** Absent, and `auto`, leave it to the runtime. */
  readonly rootless?: boolean | 'auto';
};

/** The runtime where nobody names another. */
export const defaultRuntime = 'runc';

/**
 * The command line, program first, of a runtime with `args`, or of an exec wrapper around that runtime:
 *
 *     <runtime> <global options> <args>
 *     <wrapper> <global options> --command <runtime> <args>
 *
 * The options come in embedshim's order. `wrapper` may have several words, such as `['pilotlight', 'exec-ext']`.
 */
export function runtimeCommand(
  options: RuntimeOptions,
  args: readonly string[],
  wrapper?: readonly [string, ...string[]],
): [string, ...string[]] {
  const runtime = options.command ?? defaultRuntime;
  const global = globalArgs(options);
  if (wrapper === undefined) return [runtime, ...global, ...args];
  return [...wrapper, ...global, '--command', runtime, ...args];
}

function globalArgs(options: RuntimeOptions): string[] {
  const { root, debug, log, logFormat, criu, systemdCgroup, rootless } = options;
  const args: string[] = [];
  if (root !== undefined) args.push('--root', root);
  if (debug === true) args.push('--debug');
  if (log !== undefined) args.push('--log', log);
  if (logFormat !== undefined) args.push('--log-format', logFormat);
  if (criu !== undefined) args.push('--criu', criu);
  if (systemdCgroup === true) args.push('--systemd-cgroup');
  // Joined by "=": the runtimes differ in whether a word behind it would count as its value.
  if (rootless !== undefined && rootless !== 'auto') args.push(`--rootless=${rootless}`);
  return args;
}
