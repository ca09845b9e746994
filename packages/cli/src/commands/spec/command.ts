import { buildCommand, type Command } from '@stricli/core';
import { asTyped } from '../../arguments/parameters.ts';
import type { CliContext } from '../../context.ts';

export interface SpecFlags {
  bundle?: string | undefined;
}

export const specCommand: Command<CliContext> = buildCommand<SpecFlags, [], CliContext>({
  loader: async () => (await import('./impl.ts')).spec,
  parameters: {
    flags: {
      bundle: {
        kind: 'parsed',
        parse: asTyped,
        optional: true,
        placeholder: 'DIR',
        brief: 'Directory to write config.json into; default the current one',
      },
    },
    aliases: { b: 'bundle' },
  },
  docs: {
    brief: 'Write a config.json to start from',
    fullDescription:
      'Writes the specification of a shell in a terminal, on the read-only root file system `rootfs`. An existing file is never overwritten.',
  },
});
