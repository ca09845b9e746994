import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { OciIdMapping } from '../config/spec/namespaces.ts';
import { causedBy, LaunchError } from '../errors.ts';
import { formatIdMap, type PlannedIdMaps } from '../plan/user-namespace.ts';

const run = promisify(execFile);

/**
 * Gives a new user namespace its ids, while the child waits for its config.
 *
 * By number, which is safe here: nobody reaps the child before this process says so.
 *
 * @throws LaunchError with step `id maps`
 */
export async function writeIdMaps(
  pid: number,
  { uidMappings, gidMappings, writtenBy }: PlannedIdMaps,
): Promise<void> {
  if (writtenBy === 'helpers') {
    await runHelper('newuidmap', '/etc/subuid', pid, uidMappings);
    await runHelper('newgidmap', '/etc/subgid', pid, gidMappings);
    return;
  }
  await write(`/proc/${pid}/uid_map`, formatIdMap(uidMappings));
  // Before the groups: an unprivileged writer must have given up setgroups(2) for the namespace,
  // or a process could drop a group that denies it something (CVE-2014-8989).
  if (writtenBy === 'own') await write(`/proc/${pid}/setgroups`, 'deny');
  await write(`/proc/${pid}/gid_map`, formatIdMap(gidMappings));
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new LaunchError({
      step: 'id maps',
      message: `write ${path}: ${code ?? String(cause)}`,
      ...causedBy(cause),
      syscall: 'write',
      path,
      hint:
        code === 'EPERM'
          ? 'Without CAP_SETUID and CAP_SETGID only the own id can be mapped, one line of size 1; ranges need newuidmap and newgidmap.'
          : 'See user_namespaces(7), User and group ID mappings.',
    });
  }
}

async function runHelper(
  program: 'newuidmap' | 'newgidmap',
  database: string,
  pid: number,
  mappings: readonly OciIdMapping[],
): Promise<void> {
  const numbers = mappings.flatMap(({ containerID, hostID, size }) => [containerID, hostID, size]);
  try {
    await run(program, [pid, ...numbers].map(String));
  } catch (cause) {
    const { code, stderr = '' } = cause as { code?: unknown; stderr?: string };
    const missing = code === 'ENOENT';
    const said = stderr.trim().slice(0, 500);
    throw new LaunchError({
      step: 'id maps',
      message: `${program} for process ${pid}: ${missing ? 'there is no such program' : said || String(cause)}`,
      path: program,
      ...(missing ? { errnoCode: 'ENOENT' } : {}),
      cause,
      hint: missing
        ? `Install ${program} (package uidmap or shadow-utils), or map only the own id.`
        : `The host ids must be ranges that ${database} gives this user, or its own id; see ${program}(1).`,
    });
  }
}
