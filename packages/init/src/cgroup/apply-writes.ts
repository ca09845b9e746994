import { constants } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path/posix';
import { CgroupError } from '../errors.ts';
import type { CgroupWrite } from './cgroup-write.ts';

/**
 * Does the writes of one cgroup in their order.
 *
 * Limits depend on each other: memory is at most memory with swap, a burst at most the quota, and
 * which must be raised or lowered first depends on what is there. So what the kernel refuses is tried
 * again once the others are done, until a round changes nothing.
 *
 * @throws CgroupError naming the field, the file and the reason; earlier writes stay
 */
export async function applyWrites(path: string, writes: readonly CgroupWrite[]): Promise<void> {
  let pending = writes;
  while (pending.length > 0) {
    const refused: CgroupWrite[] = [];
    let reason: CgroupError | undefined;
    for (const write of pending) {
      try {
        await apply(path, write);
      } catch (error) {
        const failure = failedWrite(path, write, error);
        if (failure.errnoCode !== 'EINVAL' && failure.errnoCode !== 'EBUSY') throw failure;
        refused.push(write);
        reason ??= failure;
      }
    }
    if (reason !== undefined && refused.length === pending.length) throw reason;
    pending = refused;
  }
}

async function apply(path: string, write: CgroupWrite): Promise<void> {
  const { file, text, otherwise, optional } = write;
  try {
    await writeControl(join(path, file), text);
  } catch (error) {
    if (!isMissing(error)) throw error;
    if (otherwise !== undefined) return writeControl(join(path, otherwise.file), otherwise.text);
    if (optional === true) return;
    throw error;
  }
  if (write.mustNotRead === undefined) return;
  const shown = (await readFile(join(path, file), 'utf8')).trim();
  if (shown !== write.mustNotRead) return;
  throw new CgroupError({
    field: write.field,
    path: join(path, file),
    message: `set ${write.field}: this kernel takes what is written to ${join(path, file)} and does nothing`,
    hint: `Remove ${write.field}.`,
  });
}

/** Opens without O_CREAT, which a cgroup answers with EACCES where a file is missing. */
export async function writeControl(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: constants.O_WRONLY });
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

function failedWrite(path: string, write: CgroupWrite, cause: unknown): CgroupError {
  if (cause instanceof CgroupError) return cause;
  const file = join(path, write.file);
  const { code, syscall } = cause as NodeJS.ErrnoException;
  return new CgroupError({
    field: write.field,
    path: file,
    message: `set ${write.field}: write ${JSON.stringify(write.text)} to ${file}: ${code ?? String(cause)}`,
    syscall: syscall ?? 'write',
    cause,
    hint: hintFor(write, code),
  });
}

/** Files that only some kernels have, and what they are part of. */
const missingFiles: readonly (readonly [file: RegExp, hint: string])[] = [
  [
    /^memory\.(memsw|swap)\./,
    'This kernel does not count swap: boot with swapaccount=1, or remove the field.',
  ],
  [
    /^cpu\.(rt_|max|cfs_|idle)/,
    'The kernel is older, or built without CONFIG_RT_GROUP_SCHED or CONFIG_CFS_BANDWIDTH.',
  ],
  [/^hugetlb\./, 'This kernel has no huge pages of that size: look into /sys/kernel/mm/hugepages.'],
  [
    /^(blkio|io)\..*weight/,
    'No scheduler with weights is there: the kernel needs BFQ or, on v2, iocost. CFQ, with leaf weights, ended with Linux 5.0.',
  ],
  [/./, 'This kernel does not have the file; see the cgroup documentation of its release.'],
];

function hintFor({ file, field, text }: CgroupWrite, code: string | undefined): string {
  switch (code) {
    case 'ENOENT':
      return missingFiles.find(([pattern]) => pattern.test(file))![1];
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'Launch as root, or in a cgroup that is delegated to this user with this controller.';
    case 'ENODEV':
      return `No such device is there, or it cannot be limited: ${text}.`;
    case 'EBUSY':
      return 'More is in use already than the new limit allows.';
    case 'EINVAL':
    case 'ERANGE':
    case 'EOPNOTSUPP':
      return file.includes('rt_')
        ? 'A group can have realtime only from what its parent has: give cpu.rt_runtime_us to each cgroup above first.'
        : `Check that ${field} is in the range of the kernel, and not beyond what the cgroups above allow.`;
    default:
      return `Check ${field}; see cgroups(7).`;
  }
}
