/** A release of runc as numbers in order of age: major, minor, patch, release candidate. */
export type RuncVersion = readonly [major: number, minor: number, patch: number, candidate: number];

/**
 * Reads `1.0.0-rc93`, `1.2.0-rc.1` or `1.1.5`, with or without a `v` and a distribution's suffix
 * (`+ds1-1`, `~ds1`). Undefined for other texts and for builds between releases (`+dev`, `-dev`).
 */
export function parseRuncVersion(text: string): RuncVersion | undefined {
  const match = /^v?(\d+)\.(\d+)\.(\d+)(?:[-~]rc\.?(\d+))?(?:[-+~](?!dev|rc).*)?$/.exec(text);
  if (match === null) return undefined;
  const [, major, minor, patch, candidate] = match;
  return [
    Number(major),
    Number(minor),
    Number(patch),
    candidate === undefined ? Number.POSITIVE_INFINITY : Number(candidate),
  ];
}

/** Whether the first release is older than the second. */
export function precedes(one: RuncVersion, other: RuncVersion): boolean {
  for (const [index, part] of one.entries()) {
    const against = other[index] as number;
    if (part !== against) return part < against;
  }
  return false;
}
