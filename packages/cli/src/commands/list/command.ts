import { buildCommand, type Command } from '@stricli/core';
import { type Format, formatFlag } from '../../arguments/parameters.ts';
import type { CliContext } from '../../context.ts';

export interface ListFlags {
  format: Format;
  quiet: boolean;
}

export const listCommand: Command<CliContext> = buildCommand<ListFlags, [], CliContext>({
  loader: async () => (await import('./impl.ts')).list,
  parameters: {
    flags: {
      format: formatFlag('How to print them'),
      quiet: { kind: 'boolean', default: false, withNegated: false, brief: 'Print ids only' },
    },
    aliases: { f: 'format', q: 'quiet' },
  },
  docs: { brief: 'List the processes that are recorded' },
});
