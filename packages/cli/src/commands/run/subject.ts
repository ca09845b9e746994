import { hostRootSpec, loadBundle, type OciSpec } from '@pilotlight/init';
import type { CliContext, Host } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import type { RunFlags } from './command.ts';

/** What to run. */
export interface Subject {
  spec: OciSpec;
  /** Absolute directory. */
  bundle: string;
}

const SEE_HELP = 'See `pilotlight run --help`.';
const HOST_ROOT = '/';
/** Directories of the host that the sandbox replaces by its own. */
const PRIVATE = ['/tmp', '/run', '/proc', '/dev'];
const PASSED_ON = ['PATH', 'TERM', 'LANG', 'LC_ALL', 'TZ'];
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The bundle, or the command line on the host's root. Throws UsageError, InvalidConfigError. */
export async function subjectOf(
  { host, commandLine }: CliContext,
  flags: RunFlags,
  id: string | undefined,
): Promise<Subject> {
  if (commandLine !== undefined) return commandOnHostRoot(host, flags, commandLine);
  if (id === undefined) {
    throw new UsageError(
      'run: expected an ID, or a command line after --',
      `Give \`run ID\` in a bundle, or \`run -- COMMAND\`. ${SEE_HELP}`,
    );
  }
  const { path, spec } = await loadBundle(flags.bundle ?? host.cwd());
  return { spec, bundle: path };
}

function commandOnHostRoot(
  host: Host,
  { bundle, detach }: RunFlags,
  commandLine: readonly string[],
): Subject {
  if (bundle !== undefined) {
    throw new UsageError('run: --bundle and a command line after -- exclude each other', SEE_HELP);
  }
  if (commandLine.length === 0) {
    throw new UsageError('run: there is no command after --', SEE_HELP);
  }
  const spec = hostRootSpec({
    args: commandLine,
    cwd: directoryInside(host.cwd()),
    env: environment(host),
    terminal: !detach && host.isTerminal(0) && host.isTerminal(1),
  });
  return { spec, bundle: HOST_ROOT };
}

/** The same directory, if the sandbox has it. */
function directoryInside(cwd: string): string {
  const hidden = PRIVATE.some((path) => cwd === path || cwd.startsWith(`${path}/`));
  return hidden ? '/' : cwd;
}

/** Little of the caller's: secrets are often kept in the environment. */
function environment({ env }: Host): string[] {
  const passed = { PATH: DEFAULT_PATH, TERM: 'xterm' } as Record<string, string>;
  for (const name of PASSED_ON) {
    const value = env[name];
    if (value !== undefined && value !== '') passed[name] = value;
  }
  return Object.entries(passed).map(([name, value]) => `${name}=${value}`);
}
