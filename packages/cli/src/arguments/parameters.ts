import type { CliContext } from '../context.ts';
import type { TypedPositionalParameter } from '@stricli/core';

/** A text as it was typed. */
export const asTyped = (text: string): string => text;

/** The argument that names one process. */
export const idParameter: TypedPositionalParameter<string, CliContext> = {
  brief: 'Id of the process',
  placeholder: 'ID',
  parse: asTyped,
};

/** What a command prints for people, or for programs. */
export type Format = 'table' | 'json';

/** The flag that chooses it. */
export const formatFlag = (
  brief: string,
): { kind: 'enum'; values: readonly Format[]; default: Format; brief: string } => ({
  kind: 'enum',
  values: ['table', 'json'],
  default: 'table',
  brief,
});
