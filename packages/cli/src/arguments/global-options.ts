import { join } from 'node:path';
import { UsageError } from '../errors.ts';
import type { Host } from '../context.ts';

/** What stands before the command. */
export interface GlobalOptions {
  /** Directory of the store. */
  root: string;
  /** File that errors are also written to. */
  log: string | undefined;
  logFormat: 'text' | 'json';
  version: boolean;
}

/** A command line, cut where its parts begin. */
export interface CommandLine {
  options: GlobalOptions;
  /** The command, its flags and arguments. */
  inputs: string[];
  /** What follows `--` in `run`, undefined without one; all that follows `exec-ext`. */
  program: string[] | undefined;
}

const SEE_HELP = 'See `pilotlight --help`.';
const VALUED = ['--root', '--log', '--log-format'];

/** Cuts up a command line. Throws UsageError for what is no global flag, or one without its value. */
export function parseCommandLine(
  args: readonly string[],
  host: Pick<Host, 'env' | 'uid'>,
): CommandLine {
  const options: GlobalOptions = {
    root: defaultRoot(host),
    log: undefined,
    logFormat: 'text',
    version: false,
  };
  const rest = [...args];
  for (let next = rest[0]; next?.startsWith('-') === true; next = rest[0]) {
    // The help of the whole belongs to the commands' parser.
    if (next === '--help' || next === '-h')
      return { options, inputs: ['--help'], program: undefined };
    rest.shift();
    if (next === '--version' || next === '-v') options.version = true;
    else setOption(options, next, rest);
  }
  return { options, ...cutProgram(rest) };
}

function setOption(options: GlobalOptions, text: string, rest: string[]): void {
  const [, name = text, inline] = /^(--[^=]+)=(.*)$/s.exec(text) ?? [];
  if (!VALUED.includes(name)) {
    throw new UsageError(`${name} is not a global flag`, SEE_HELP);
  }
  const value = inline ?? rest.shift();
  if (value === undefined || value === '') {
    throw new UsageError(`${name} needs a value`, SEE_HELP);
  }
  if (name === '--root') options.root = value;
  else if (name === '--log') options.log = value;
  else if (value === 'text' || value === 'json') options.logFormat = value;
  else throw new UsageError(`--log-format: ${value} is neither text nor json`, SEE_HELP);
}

function cutProgram(words: string[]): Pick<CommandLine, 'inputs' | 'program'> {
  // It stands in for another program, and reads its words by that one's rules.
  if (words[0] === 'exec-ext' && !/^--?h(elp)?$/.test(words[1] ?? '')) {
    return { inputs: words.slice(0, 1), program: words.slice(1) };
  }
  const cut = words[0] === 'run' ? words.indexOf('--') : -1;
  const inputs = cut === -1 ? words : words.slice(0, cut);
  refuseOddFlags(inputs);
  return { inputs, program: cut === -1 ? undefined : words.slice(cut + 1) };
}

/** What begins like a flag and cannot be the name of one would count as an argument further on. */
function refuseOddFlags(inputs: readonly string[]): void {
  const end = inputs.indexOf('--');
  for (const word of end === -1 ? inputs : inputs.slice(0, end)) {
    if (!word.startsWith('-') || word === '-') continue;
    const hint = `See \`pilotlight ${inputs[0]} --help\`.`;
    const empty = /^(-{1,2}[a-z][a-z-]*)=$/i.exec(word);
    if (empty !== null) throw new UsageError(`${empty[1]} needs a value`, hint);
    if (!/^(--[a-z][a-z-]+(=.+)?|-[a-z]+|-[a-z]=.+)$/is.test(word)) {
      throw new UsageError(`unknown flag ${word}`, hint);
    }
  }
}

/** Root's store is for the machine, another user's for the session. */
function defaultRoot({ env, uid }: Pick<Host, 'env' | 'uid'>): string {
  const runtime = env['XDG_RUNTIME_DIR'];
  return uid !== 0 && runtime !== undefined && runtime !== ''
    ? join(runtime, 'pilotlight')
    : '/run/pilotlight';
}
