/** A part of the address space that may be offered to children, in one madvise(2) call. */
export type MemoryRange = { start: bigint; length: bigint };

/** Below what anybody maps (vm.mmap_min_addr), and a multiple of every page size that Linux has. */
const lowestAddress = 0x1_0000n;

/**
 * The address space as ranges between the mappings that madvise(MADV_DOFORK) stumbles over.
 *
 * The call fails with EINVAL *and stops* at a mapping of the kernel's or a device's, so each range
 * ends before one. Holes are fine. Bounds come from the mappings themselves, never from a
 * constant: address spaces of 39, 42, 47, 48 and 57 bits exist.
 *
 * @param maps the text of /proc/self/maps, see proc_pid_maps(5)
 * @returns ascending; the last is not special, the largest holds V8's heap
 */
export function memoryRanges(maps: string): MemoryRange[] {
  const ranges: MemoryRange[] = [];
  let start: bigint | undefined;
  let end = 0n;
  const finish = (): void => {
    if (start !== undefined && end > start) ranges.push({ start, length: end - start });
    start = undefined;
  };
  for (const line of maps.split('\n')) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+\s*(.*)$/.exec(line);
    if (match === null) continue;
    const [, from = '0', to = '0', name = ''] = match;
    if (isSpecial(name)) {
      finish();
      end = BigInt(`0x${to}`);
      continue;
    }
    // The first range starts below its first mapping, so that what V8 maps there later is included.
    start ??= ranges.length === 0 && end === 0n ? lowestAddress : BigInt(`0x${from}`);
    end = BigInt(`0x${to}`);
  }
  finish();
  return ranges;
}

function isSpecial(name: string): boolean {
  return (
    /^\[(vvar|vvar_vclock|vdso|vsyscall|sigpage)\]$/.test(name) ||
    name.startsWith('anon_inode:') ||
    name.startsWith('/anon_inode:') ||
    (name.startsWith('/dev/') && !name.startsWith('/dev/shm/') && !name.startsWith('/dev/zero'))
  );
}
