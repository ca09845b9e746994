/**
 * `cpu.weight` of cgroup v2 for `cpu.shares` of v1.
 *
 * The exponential curve of runc 1.4 and crun 1.23, on which the two ends and the default (1024 shares, weight 100) meet:
 * older versions draw a straight line from 2:1 to 262144:10000, which makes 39 of 1024.
 *
 * @param shares 2 to 262144; what lies outside counts as the end, as in v1
 * @returns 1 to 10000
 */
export function cpuWeight(shares: number | bigint): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const log = Math.log2(Number(shares));
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}

/**
 * `io.weight` of cgroup v2 for a weight of v1's blkio: a straight line from 10:1 to 1000:10000, as in runc.
 *
 * The BFQ scheduler's own file, `io.bfq.weight`, keeps the scale of v1 and needs no conversion.
 *
 * @param weight 10 to 1000
 */
export const ioWeight = (weight: number): number => 1 + Math.floor(((weight - 10) * 9999) / 990);
