import { readdir, readFile } from 'node:fs/promises';
import { errnoCode } from '../errors.ts';

/** The pids of this process's children, zombies too; proc_pid_task_tid_children(5), or by looking at every process. */
export async function childPids(): Promise<number[]> {
  try {
    // An orphan becomes the child of one of our threads.
    const threads = await readdir('/proc/self/task');
    const lists = await Promise.all(
      threads.map((thread) => readList(`/proc/self/task/${thread}/children`)),
    );
    return lists.flat();
  } catch (error) {
    // A kernel without CONFIG_PROC_CHILDREN.
    if (errnoCode(error) === 'ENOENT') return pidsByParent(process.pid);
    throw error;
  }
}

async function readList(path: string): Promise<number[]> {
  try {
    return parsePids(await readFile(path, 'utf8'));
  } catch (error) {
    // The thread has ended.
    if (errnoCode(error) === 'ESRCH') return [];
    throw error;
  }
}

/** The same from the stat files of all processes; proc_pid_stat(5), field 4. */
export async function pidsByParent(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0);
  const parents = await Promise.all(pids.map(parentOf));
  return pids.filter((_, index) => parents[index] === parent);
}

async function parentOf(pid: number): Promise<number | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // A program may put blanks and parentheses into its name: only the last one ends it.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

function parsePids(text: string): number[] {
  return text
    .split(' ')
    .map(Number)
    .filter((pid) => pid > 0);
}
