import { ignored, rows, type SpecField } from './spec-field.ts';

const notLinux = ignored(
  'not Linux: a property of another platform is an unknown one here (config.md, Extensibility)',
);

/** What a configuration holds for other platforms, an object each. */
export const otherPlatformFields = (): SpecField[] =>
  rows(notLinux, {
    '1.0.0': ['solaris', 'windows'],
    '1.0.2': ['vm'],
    '1.1.0': ['zos'],
    '1.3.0': ['freebsd'],
  });
