/** Files of procfs that may be covered one by one, as lxcfs does; the list is runc's. */
const replaceable: ReadonlySet<string> = new Set([
  '/proc/cpuinfo',
  '/proc/diskstats',
  '/proc/meminfo',
  '/proc/stat',
  '/proc/swaps',
  '/proc/uptime',
  '/proc/loadavg',
  '/proc/slabinfo',
  '/proc/net/dev',
  '/proc/sys/kernel/ns_last_pid',
  '/proc/sys/crypto/fips_enabled',
]);

/**
 * Where a path inside the root stands to /proc. What is mounted there decides what the launch
 * itself, and every program after it, believes of processes and labels (CVE-2019-16884).
 *
 * @param path normal and absolute, without links
 */
export function procDestination(path: string): 'outside' | 'proc' | 'replaceable' | 'inside' {
  if (path === '/proc') return 'proc';
  if (!path.startsWith('/proc/')) return 'outside';
  return replaceable.has(path) ? 'replaceable' : 'inside';
}
