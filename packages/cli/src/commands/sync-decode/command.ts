import { buildCommand, type Command } from '@stricli/core';
import { asTyped } from '../../arguments/parameters.ts';
import type { CliContext } from '../../context.ts';

export const syncDecodeCommand: Command<CliContext> = buildCommand<{}, [string], CliContext>({
  loader: async () => (await import('./impl.ts')).syncDecode,
  parameters: {
    positional: {
      kind: 'tuple',
      parameters: [{ brief: 'Transcript of a handshake', placeholder: 'FILE', parse: asTyped }],
    },
  },
  docs: {
    brief: 'Print the transcript of a handshake as a dialogue in two columns',
    fullDescription:
      'Reads what `run --transcript FILE` wrote, or any transcript in the JSON lines of @pilotlight/sync.',
  },
});
