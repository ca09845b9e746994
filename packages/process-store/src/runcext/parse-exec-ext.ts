import { ExecUsageError } from '../errors.ts';
import { parseRecordId } from '../record/record-id.ts';
import type { RuncExecOptions } from './runc-args.ts';
import type { RuntimeOptions } from './runtime-command.ts';

/** What an exec wrapper was asked for. */
export type ExecExtCommand = {
  readonly runtime: RuntimeOptions;
  /** The container. */
  readonly id: string;
  readonly exec: RuncExecOptions & { readonly pidFile: string };
};

type Kind = 'text' | 'boolean' | 'refused';
type Flags = Readonly<Record<string, Kind>>;

const globalFlags: Flags = {
  root: 'text',
  debug: 'boolean',
  log: 'text',
  'log-format': 'text',
  criu: 'text',
  'systemd-cgroup': 'boolean',
  rootless: 'text',
  command: 'text',
};

/** Those refused are flags of embedshim's wrapper, which reads them and then drops them. */
const execFlags: Flags = {
  process: 'text',
  'console-socket': 'text',
  detach: 'boolean',
  'pid-file': 'text',
  cwd: 'refused',
  env: 'refused',
  tty: 'refused',
  user: 'refused',
  'additional-gids': 'refused',
  'process-label': 'refused',
  apparmor: 'refused',
  'no-new-privs': 'refused',
  cap: 'refused',
  'preserve-fds': 'refused',
  cgroup: 'refused',
  'ignore-paused': 'refused',
};

const shortNames: Readonly<Record<string, string>> = {
  p: 'process',
  d: 'detach',
  e: 'env',
  t: 'tty',
  u: 'user',
  g: 'additional-gids',
  c: 'cap',
};

const hint =
  'The form is: [--root D] [--debug] [--log F] [--log-format X] [--criu P] [--systemd-cgroup] [--rootless=B] [--command RUNTIME] exec --process FILE [--console-socket P] --detach --pid-file FILE ID';

/**
 * Reads what embedshim passes to its wrapper, by the rules of Go's flag package: one dash or two, a value behind `=` or as
 * the next word, flags end at the first word that is none.
 *
 * What would not take effect is refused by name: every flag that is not among those of {@link RuntimeOptions} and
 * {@link RuncExecOptions}, a missing `--detach`, `--process` or `--pid-file`, a second argument. Throws ExecUsageError,
 * InvalidIdError.
 */
export function parseExecExt(args: readonly string[]): ExecExtCommand {
  const words = [...args];
  const global = takeFlags(words, globalFlags, '');
  const verb = words.shift();
  if (verb !== 'exec') {
    throw refusal(
      verb === undefined
        ? 'the command exec is missing'
        : `there is no command ${quote(verb)}, only exec`,
    );
  }
  const flags = takeFlags(words, execFlags, 'exec ');
  const [id, ...more] = words;
  if (id === undefined) throw refusal('exec: the id of the container is missing');
  if (more.length > 0) {
    throw refusal(
      `exec: ${quote(more[0] ?? '')} is one argument too many; the program is in --process`,
    );
  }
  return { runtime: runtimeOptions(global), id: parseRecordId(id), exec: execOptions(flags) };
}

function runtimeOptions(flags: ReadonlyMap<string, string>): RuntimeOptions {
  const logFormat = oneOf(flags, 'log-format', ['text', 'json'] as const);
  const rootless = oneOf(flags, 'rootless', ['true', 'false', 'auto'] as const);
  return {
    ...textOf(flags, 'command', 'command'),
    ...textOf(flags, 'root', 'root'),
    ...(flags.get('debug') === 'true' ? { debug: true } : {}),
    ...textOf(flags, 'log', 'log'),
    ...(logFormat === undefined ? {} : { logFormat }),
    ...textOf(flags, 'criu', 'criu'),
    ...(flags.get('systemd-cgroup') === 'true' ? { systemdCgroup: true } : {}),
    ...(rootless === undefined
      ? {}
      : { rootless: rootless === 'auto' ? rootless : rootless === 'true' }),
  };
}

function execOptions(flags: ReadonlyMap<string, string>): ExecExtCommand['exec'] {
  // Attached, the runtime would reap the process itself, and nobody could tell how it ended.
  if (flags.get('detach') !== 'true')
    throw refusal('exec: --detach is missing; attached is not supported');
  return {
    process: required(flags, 'process'),
    ...textOf(flags, 'console-socket', 'consoleSocket'),
    detach: true,
    pidFile: required(flags, 'pid-file'),
  };
}

/** Takes the flags from the beginning of `words`. Of one that is repeated the last counts. */
function takeFlags(words: string[], known: Flags, where: string): Map<string, string> {
  const taken = new Map<string, string>();
  for (let word = words[0]; word !== undefined && /^-./s.test(word); word = words[0]) {
    words.shift();
    if (word === '--') break;
    const [, typed = '', inline] = /^--?([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    const name = known === execFlags ? (shortNames[typed] ?? typed) : typed;
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) throw refusal(`${where}${quote(word)} is not a known flag`);
    if (kind === 'refused') {
      throw refusal(`${where}--${name} is not supported; say it in the file of --process`);
    }
    taken.set(
      name,
      kind === 'boolean' ? boolean(name, inline) : text(name, inline ?? words.shift()),
    );
  }
  return taken;
}

function text(name: string, value: string | undefined): string {
  if (value === undefined || value === '') throw refusal(`--${name} needs a value`);
  return value;
}

function boolean(name: string, value = 'true'): string {
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return 'true';
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return 'false';
  throw refusal(`--${name}: ${quote(value)} is neither true nor false`);
}

function textOf<Key extends string>(
  flags: ReadonlyMap<string, string>,
  name: string,
  key: Key,
): { [key in Key]?: string } {
  const value = flags.get(name);
  return (value === undefined ? {} : { [key]: value }) as { [key in Key]?: string };
}

function required(flags: ReadonlyMap<string, string>, name: string): string {
  const value = flags.get(name);
  if (value === undefined) throw refusal(`exec: --${name} is missing`);
  return value;
}

function oneOf<Value extends string>(
  flags: ReadonlyMap<string, string>,
  name: string,
  values: readonly Value[],
): Value | undefined {
  const value = flags.get(name);
  if (value === undefined) return undefined;
  const found = values.find((one) => one === value);
  if (found === undefined)
    throw refusal(`--${name}: ${quote(value)} is none of ${values.join(', ')}`);
  return found;
}

function refusal(reason: string): ExecUsageError {
  return new ExecUsageError(`read the command line of the exec wrapper: ${reason}`, { hint });
}

function quote(word: string): string {
  return JSON.stringify(word.length > 80 ? `${word.slice(0, 80)}…` : word);
}
