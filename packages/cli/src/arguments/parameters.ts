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
