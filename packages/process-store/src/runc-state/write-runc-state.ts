import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import { openDirectory } from '../disk/open-directory.ts';
import { inside, writeTemporary } from '../disk/temporary-file.ts';
import { CleanupError, errnoCode, IdInUseError, messageOf, RuncStateError } from '../errors.ts';
import { factsOf, type StoredProcess } from '../stored-process.ts';
import { describeState } from './describe-state.ts';
import { runcLayout } from './runc-layout.ts';
import { encodeRuncState, type RuncState } from './runc-state.ts';

/**
 * Writes the state of a launched process for runc, so that `runc --root <runcRoot>` and its state, list, exec, ps, pause,
 * resume, kill and delete work on it. Returns what was written, in the layout of runc 1.1.5.
 *
 * Makes `<runcRoot>/<id>` (mode 0711), which must not exist, with `state.json` (mode 0600) whole or not at all; after a
 * crash an empty directory may be left. The files are runc's from then on: `runc delete` removes them and the cgroup, our
 * own `remove` does not. `runc exec` takes user, environment and rights from `config.json` in the bundle, or `--process`.
 *
 * For a process that runs or has ended. Throws IdInUseError, RuncStateError, ForeignNamespaceError, InvalidConfigError of
 * @pilotlight/init where a cgroup hierarchy is missing here, and SyscallError.
 */
export async function writeRuncState(runcRoot: string, process: StoredProcess): Promise<RuncState> {
  const { root, directory } = runcLayout(runcRoot, process.id);
  const state = await describeState(factsOf(process));
  try {
    await mkdir(root, { recursive: true, mode: 0o700 });
    // The reservation of the id, for runc as for us.
    await mkdir(directory, { mode: 0o711 });
  } catch (error) {
    if (errnoCode(error) === 'EEXIST') throw new IdInUseError(process.id, root);
    throw refused(process.id, error);
  }
  try {
    await fill(directory, encodeRuncState(state));
  } catch (error) {
    const failure = refused(process.id, error);
    try {
      await rm(directory, { recursive: true, force: true });
    } catch (second) {
      throw new CleanupError(`keep runc state of ${process.id}`, failure, [second]);
    }
    throw failure;
  }
  return state;
}

async function fill(directory: string, text: string): Promise<void> {
  // mkdir(2) took the umask off.
  await chmod(directory, 0o711);
  await using handle = await openDirectory(directory);
  // Renamed into place as runc does it: nobody reads half a file.
  await using temporary = await writeTemporary(handle, 'state.json', text);
  await rename(temporary.path, inside(handle, 'state.json'));
  temporary.renamed();
  await handle.sync();
}

function refused(id: string, error: unknown): RuncStateError {
  return new RuncStateError(id, messageOf(error), {
    hint: 'Give a directory that you may write to, such as /run/runc for root.',
    cause: error,
  });
}
