import { buildCommand, type Command } from '@stricli/core';
import { idParameter } from '../../arguments/parameters.ts';
import type { CliContext } from '../../context.ts';

export const waitCommand: Command<CliContext> = buildCommand<{}, string[], CliContext>({
  loader: async () => (await import('./impl.ts')).wait,
  parameters: { positional: { kind: 'array', parameter: idParameter, minimum: 1 } },
  docs: {
    brief: 'Wait for processes to end, and print how',
    fullDescription:
      'Prints one line per process, in the order given: its exit code, 128+n if signal n ended it, or `unknown`. Exits with 0 if all are known, else with 124.',
  },
});
