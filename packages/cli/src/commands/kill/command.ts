import { buildCommand, type Command } from '@stricli/core';
import { idParameter } from '../../arguments/parameters.ts';
import type { CliContext } from '../../context.ts';
import { parseSignal } from './parse-signal.ts';

export const killCommand: Command<CliContext> = buildCommand<{}, [string, number], CliContext>({
  loader: async () => (await import('./impl.ts')).kill,
  parameters: {
    positional: {
      kind: 'tuple',
      parameters: [
        idParameter,
        {
          brief: 'Name with or without SIG, or number',
          placeholder: 'SIGNAL',
          default: 'SIGTERM',
          parse: parseSignal,
        },
      ],
    },
  },
  docs: {
    brief: 'Send a signal to a process',
    fullDescription:
      'After INT, QUIT, KILL or TERM no restart policy starts the process again, whether or not the signal ends it.',
  },
});
