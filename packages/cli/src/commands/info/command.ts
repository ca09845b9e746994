import { buildCommand, type Command } from '@stricli/core';
import { type Format, formatFlag } from '../../arguments/parameters.ts';
import type { CliContext } from '../../context.ts';

export interface InfoFlags {
  format: Format;
}

export const infoCommand: Command<CliContext> = buildCommand<InfoFlags, [], CliContext>({
  loader: async () => (await import('./impl.ts')).info,
  parameters: {
    flags: {
      format: formatFlag('How to print it'),
    },
    aliases: { f: 'format' },
  },
  docs: {
    brief: 'Tell what this machine offers and what the store is doing',
    fullDescription: `Tells where processes are recorded, what may die here without a status being lost and why that is
so, how programs are launched, which monitor and keeper run, and how many records there are in
which state. Starts nothing, and makes no store where there is none.`,
  },
});
