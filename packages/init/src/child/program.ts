import { isSyscallError, syscallError } from '@pilotlight/scm-rights';
import { AT_FDCWD, S_IFDIR, S_IFMT, X_OK } from '../syscall/constants.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { StepFailure } from './step-failure.ts';

const ENOENT = 2;
const EACCES = 13;

/**
 * The path of the program: as it is where the name has a slash, else the first match in PATH.
 *
 * Looked up before exec, as the user who will run it, so that a wrong name is reported to the
 * parent and not to the program's own standard error.
 *
 * @throws StepFailure with ENOENT when there is none, EACCES when it may not be run
 */
export function findProgram(sys: Syscall, name: string, env: readonly string[]): string {
  const attempt = `run ${JSON.stringify(name)}`;
  if (name.includes('/')) {
    try {
      requireExecutable(sys, name);
      return name;
    } catch (error) {
      throw new StepFailure(attempt, error, { hint: hintFor(error) });
    }
  }
  const path = env.findLast((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? '';
  let denied: unknown;
  for (const directory of path.split(':')) {
    if (name === '' || directory === '') continue;
    const candidate = `${directory}/${name}`;
    try {
      requireExecutable(sys, candidate);
      return candidate;
    } catch (error) {
      if (isSyscallError(error, 'EACCES')) denied ??= error;
      else if (!isSyscallError(error)) throw error;
    }
  }
  const error =
    denied ??
    syscallError(ENOENT, 'execve', { path: name, hint: `PATH is ${JSON.stringify(path)}.` });
  throw new StepFailure(attempt, error, { hint: hintFor(error) });
}

function requireExecutable(sys: Syscall, path: string): void {
  const { mode } = sys.statx(AT_FDCWD, path, 0);
  if ((mode & S_IFMT) === S_IFDIR) throw syscallError(EACCES, 'execve', path);
  sys.access(path, X_OK);
}

const hintFor = (error: unknown): string =>
  isSyscallError(error, 'EACCES')
    ? 'The file must be executable for the user of the configuration, and its mount must not be noexec.'
    : 'The program must exist inside the root file system; process.args[0] is looked up in the PATH of process.env.';
