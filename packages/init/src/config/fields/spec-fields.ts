import { hookFields } from './hook-fields.ts';
import { linuxFields } from './linux-fields.ts';
import { otherPlatformFields } from './other-platform-fields.ts';
import { processFields } from './process-fields.ts';
import { resourceFields } from './resource-fields.ts';
import { rootFields } from './root-fields.ts';
import { seccompFields } from './seccomp-fields.ts';
import type { SpecField } from './spec-field.ts';

/** The release of the OCI runtime specification whose fields the table has. */
export const specVersion = '1.3.0';

/**
 * Every field of `config.json` and what a launch does with it, in the order of the specification.
 *
 * `features`, docs/config.md and the tests all read this; it is a function so that a program that
 * asks for none of them builds no table.
 */
export function specFields(): SpecField[] {
  return [
    ...rootFields(),
    ...processFields(),
    ...hookFields(),
    ...linuxFields(),
    ...resourceFields(),
    ...seccompFields(),
    ...otherPlatformFields(),
  ];
}
