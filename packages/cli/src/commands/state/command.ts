import { buildCommand, type Command } from '@stricli/core';
import { idParameter } from '../../arguments/parameters.ts';
import type { CliContext } from '../../context.ts';

export const stateCommand: Command<CliContext> = buildCommand<{}, [string], CliContext>({
  loader: async () => (await import('./impl.ts')).state,
  parameters: { positional: { kind: 'tuple', parameters: [idParameter] } },
  docs: { brief: 'Print the state of a process as JSON' },
});
