import { buildCommand, type Command } from '@stricli/core';
import { idParameter } from '../../arguments/parameters.ts';
import type { CliContext } from '../../context.ts';

export interface DeleteFlags {
  force: boolean;
}

export const deleteCommand: Command<CliContext> = buildCommand<DeleteFlags, [string], CliContext>({
  loader: async () => (await import('./impl.ts')).deleteOne,
  parameters: {
    flags: {
      force: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: 'Kill it first if it runs; an unknown id is no error then',
      },
    },
    aliases: { f: 'force' },
    positional: { kind: 'tuple', parameters: [idParameter] },
  },
  docs: { brief: 'Remove a process that has ended' },
});
