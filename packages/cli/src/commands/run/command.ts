import { buildCommand, type Command } from '@stricli/core';
import { asTyped } from '../../arguments/parameters.ts';
import type { CliContext } from '../../context.ts';

export interface RunFlags {
  bundle?: string | undefined;
  detach: boolean;
  consoleSocket?: string | undefined;
  pidFile?: string | undefined;
  keep: boolean;
  transcript?: string | undefined;
  restart?: string | undefined;
  logDriver?: string | undefined;
  /** Each of the form `key=value`. */
  logOpt?: readonly string[] | undefined;
}

export const runCommand: Command<CliContext> = buildCommand<
  RunFlags,
  [string | undefined],
  CliContext
>({
  loader: async () => (await import('./impl.ts')).run,
  parameters: {
    flags: {
      bundle: {
        kind: 'parsed',
        parse: asTyped,
        optional: true,
        placeholder: 'DIR',
        brief: 'Directory with the config.json; default the current one',
      },
      detach: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: 'Return when the program runs, and leave it running',
      },
      consoleSocket: {
        kind: 'parsed',
        parse: asTyped,
        optional: true,
        placeholder: 'PATH',
        brief: 'Unix socket that is sent the terminal; with --detach',
      },
      pidFile: {
        kind: 'parsed',
        parse: asTyped,
        optional: true,
        placeholder: 'FILE',
        brief: 'File to write the process id to',
      },
      keep: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: 'Keep the record after the end, with the status',
      },
      transcript: {
        kind: 'parsed',
        parse: asTyped,
        optional: true,
        placeholder: 'FILE',
        brief: 'File to write the handshake to; see `sync decode`',
      },
      restart: {
        kind: 'parsed',
        parse: asTyped,
        optional: true,
        placeholder: 'POLICY',
        brief: 'Start it again after its end: no, on-failure[:N] or always; with --detach',
      },
      logDriver: {
        kind: 'parsed',
        parse: asTyped,
        optional: true,
        placeholder: 'DRIVER',
        brief: 'Where its output goes: none, file or cri; with --detach',
      },
      logOpt: {
        kind: 'parsed',
        parse: asTyped,
        optional: true,
        variadic: true,
        placeholder: 'KEY=VALUE',
        brief: 'path of file and cri; max-size and max-file of cri',
      },
    },
    aliases: { b: 'bundle', d: 'detach' },
    positional: {
      kind: 'tuple',
      parameters: [
        { brief: 'Id for the process', placeholder: 'ID', optional: true, parse: asTyped },
      ],
    },
  },
  docs: {
    brief: 'Launch a container, or a command line in a sandbox',
    customUsage: ['[flags] ID', '[flags] [ID] -- COMMAND [ARG...]'],
    fullDescription: `With an ID: runs the container of an OCI bundle.

With a command line after --: runs it on this machine's own root file system, mounted
read-only, with its own /tmp, /run, /proc, /dev, process ids, IPC, host name and network. Of
the environment it gets PATH, TERM, LANG, LC_ALL and TZ. It starts in the current directory, or
in / if that is below one of those.

Detached, a monitor of the store starts it again as --restart says, and writes its log: file is
appended to by the program itself and needs --log-opt path=FILE; cri has a line for each line,
with its time and stream, by default in /var/log/pilotlight/ID.log, for other users than root
$XDG_STATE_HOME/pilotlight/ID.log, and keeps 5 files of 10m unless max-file and max-size say
otherwise.

In the foreground, streams are the program's own, signals are passed on to it, and its status
becomes ours.`,
  },
});
