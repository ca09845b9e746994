import { readFile } from 'node:fs/promises';
import { join } from 'node:path/posix';

/** Version 2, then version 1 (Linux 4.13); both have a line `oom_kill N`. */
const FILES = ['memory.events', 'memory.oom_control'];

/**
 * Whether the kernel killed a process in one of these cgroups for want of memory; cgroups(7), `memory.events`.
 *
 * Null if none of them counts, because it has no memory controller or is gone.
 */
export async function readOom(cgroupPaths: readonly string[]): Promise<boolean | null> {
  const files = cgroupPaths.flatMap((path) => FILES.map((name) => join(path, name)));
  const counts = await Promise.all(files.map(readCount));
  const known = counts.filter((count) => count !== null);
  return known.length === 0 ? null : known.some((count) => count > 0n);
}

async function readCount(file: string): Promise<bigint | null> {
  try {
    const [, digits] = /^oom_kill (\d+)$/m.exec(await readFile(file, 'utf8')) ?? [];
    return digits === undefined ? null : BigInt(digits);
  } catch {
    // Gone, or not ours to read: then the answer is that we do not know.
    return null;
  }
}
