/** One write to a control file of a cgroup. */
export type CgroupWrite = {
  file: string;
  /** What some kernels have in its place; tried where a cgroup has no `file`. */
  otherwise?: { file: string; text: string };
  /** In one write(2), as every control file wants it. */
  text: string;
  /** Where in the configuration it comes from, for example `linux.resources.memory.limit`. */
  field: string;
  /** The kernel without such a file does by itself what is asked for. */
  optional?: true;
  /** Newer kernels take the write and do nothing: it is read back, and must not say this. */
  mustNotRead?: string;
};

/** 0 stands for "not set" in most fields of `linux.resources`, as runc has it. */
export const isGiven = (value: number | bigint | undefined): value is number | bigint =>
  value !== undefined && BigInt(value) !== 0n;

/** A v2 limit in decimals, or `max` where a negative number lifts it. */
export const limitText = (value: number | bigint): string => (value < 0 ? 'max' : String(value));
