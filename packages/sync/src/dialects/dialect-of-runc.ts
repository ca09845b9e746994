import { parseRuncVersion, precedes } from '../runc-version.ts';
import type { DialectName } from './dialects.ts';

const since: readonly (readonly [version: string, dialect: Exclude<DialectName, 'embedshim'>])[] = [
  ['1.2.0-rc.2', 'runc-1.2'],
  ['1.2.0-rc.1', 'runc-1.2.0-rc.1'],
  ['1.1.13', 'runc-1.1.13'],
  ['1.1.0-rc.1', 'runc-1.1.0'],
  ['1.0.0-rc3', 'runc-1.0'],
  ['0.0.9', 'runc-0.0.9'],
  ['0.0.7', 'runc-0.0.7'],
  ['0.0.1', 'runc-0.0.1'],
];

/**
 * The dialect that a release of runc speaks, from the version it prints, for example `1.1.5` or
 * `1.1.5+ds1-1+deb12u1`. Undefined for a text that is no version, and for a build between releases
 * (`1.0.0-rc2+dev`), of which the version does not tell the dialect.
 */
export function dialectOfRunc(version: string): Exclude<DialectName, 'embedshim'> | undefined {
  const parsed = parseRuncVersion(version);
  if (parsed === undefined) return undefined;
  return since.find(([first]) => {
    const bound = parseRuncVersion(first);
    return bound !== undefined && !precedes(parsed, bound);
  })?.[1];
}
