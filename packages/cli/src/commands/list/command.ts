import { buildCommand, type Command } from '@stricli/core';
import type { CliContext } from '../../context.ts';

export interface ListFlags {
  format: 'table' | 'json';
  quiet: boolean;
}

export const listCommand: Command<CliContext> = buildCommand<ListFlags, [], CliContext>({
  loader: async () => (await import('./impl.ts')).list,
  parameters: {
    flags: {
      format: {
        kind: 'enum',
        values: ['table', 'json'],
        default: 'table',
        brief: 'How to print them',
      },
      quiet: { kind: 'boolean', default: false, withNegated: false, brief: 'Print ids only' },
    },
    aliases: { f: 'format', q: 'quiet' },
  },
  docs: { brief: 'List the processes that are recorded' },
});
