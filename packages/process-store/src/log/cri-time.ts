const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;

/** Nanoseconds since 1970 as RFC 3339 text in UTC, always with nine digits after the point, so that texts sort as times do. */
export function formatCriTime(timeNs: bigint): string {
  const fraction = ((timeNs % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  const seconds = (timeNs - fraction) / NS_PER_SECOND;
  const text = new Date(Number(seconds) * 1000).toISOString();
  return `${text.slice(0, -'.000Z'.length)}.${String(fraction).padStart(9, '0')}Z`;
}

const RFC_3339 = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/i;

/** The nanoseconds since 1970 that RFC 3339 text with up to nine digits names, with any offset; undefined if it is none. */
export function parseCriTime(text: string): bigint | undefined {
  const match = RFC_3339.exec(text);
  if (match === null) return undefined;
  const [, date, time, fraction = '', offset] = match;
  const ms = Date.parse(`${date}T${time}${offset!.toUpperCase()}`);
  if (Number.isNaN(ms)) return undefined;
  return BigInt(ms) * NS_PER_MS + BigInt(fraction.padEnd(9, '0'));
}

/**
 * The time of day in nanoseconds since 1970. Finer than Date.now, which it follows when the clock is set: never more than two
 * milliseconds from it.
 */
export class WallClock {
  #wallNs = 0n;
  #monotonicNs = 0n;

  now(): bigint {
    const monotonic = process.hrtime.bigint();
    const wall = BigInt(Date.now()) * NS_PER_MS;
    const guess = this.#wallNs + (monotonic - this.#monotonicNs);
    const drift = guess - wall;
    // Date.now has cut off less than a millisecond.
    if (drift >= -NS_PER_MS && drift <= 2n * NS_PER_MS) return guess;
    this.#wallNs = wall;
    this.#monotonicNs = monotonic;
    return wall;
  }
}
