import { mkdir, readdir, stat } from 'node:fs/promises';
import { DiskError, diskHint, errnoCode, isDiskRefusal, messageOf, RootError } from '../errors.ts';
import { storeLayout } from '../layout.ts';
import { here } from '../supervision/here.ts';

const OTHERS_MAY_WRITE = 0o022;
const OURS = new Set(['lock', 'watchers.lock', 'p', 'gone', 'events', 'meta.json']);

/**
 * Makes the root directory, mode 0700, or checks the one there is. Returns true if it made it.
 *
 * Throws DiskError, and RootError when it cannot be made, is no directory, lets others write, belongs to another user, or holds
 * something that is no store.
 */
export async function makeRoot(root: string): Promise<boolean> {
  let made: string | undefined;
  try {
    made = await mkdir(root, { recursive: true, mode: 0o700 });
  } catch (error) {
    const refusal = await findRefusal(root, error);
    if (refusal !== undefined) throw new DiskError('make store', root, refusal);
    throw cannot('make', root, error);
  }
  if (made !== undefined) return true;
  await checkRoot(root);
  return false;
}

/** Node makes ENOENT of EROFS when it makes directories recursively: the plain call tells. */
async function findRefusal(root: string, error: unknown): Promise<unknown> {
  if (isDiskRefusal(error)) return error;
  if (errnoCode(error) !== 'ENOENT') return undefined;
  return mkdir(root, { mode: 0o700 }).then(
    () => undefined,
    (plain: unknown) => (isDiskRefusal(plain) ? plain : undefined),
  );
}

/** Checks that an existing directory can serve as root. Throws RootError; false if there is none. */
export async function checkRoot(root: string): Promise<boolean> {
  let names: string[];
  try {
    const { uid, mode } = await stat(root);
    const me = here().uid;
    if (uid !== me && uid !== 0) {
      throw new RootError(root, `use ${root} as store: it belongs to user ${uid}, not to ${me}`, {
        hint: 'Choose a directory of your own, or act as its owner.',
      });
    }
    if ((mode & OTHERS_MAY_WRITE) !== 0) {
      const shown = (mode & 0o7777).toString(8).padStart(4, '0');
      throw new RootError(root, `use ${root} as store: others may write to it (mode ${shown})`, {
        hint: `Take that away (chmod 0700 ${root}), or choose a directory inside it.`,
      });
    }
    names = await readdir(root);
  } catch (error) {
    if (error instanceof RootError) throw error;
    if (errnoCode(error) === 'ENOENT') return false;
    throw cannot('open', root, error);
  }
  // What a crash left of a store has only these names; anything else needs the file that says it is one.
  if (
    !names.includes('meta.json') &&
    names.some((name) => !OURS.has(name) && !name.startsWith('.'))
  ) {
    throw new RootError(root, `use ${root} as store: it holds other files and no meta.json`, {
      hint: 'Choose an empty directory, or one that does not exist.',
    });
  }
  return true;
}

/** Turns a refusal of the file system into the error of the root. */
export function cannot(action: string, root: string, error: unknown): RootError {
  return new RootError(root, `${action} store ${storeLayout(root).root}: ${messageOf(error)}`, {
    hint: diskHint(errnoCode(error)),
    cause: error,
  });
}
