import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path/posix';
import { causedBy, LaunchError } from '../errors.ts';
import type { RdtPlan } from './plan-rdt.ts';
import { holdsSchema } from './schemata.ts';

export const RDT_STEP = 'intel rdt';

/**
 * Makes the groups of a plan and sets what they allow, before a process is in them.
 *
 * @returns the directories to remove once the container is gone, inner ones first
 * @throws LaunchError with step `intel rdt`; what was made until then is removed
 */
export async function createRdtGroups(plan: RdtPlan): Promise<string[]> {
  const made: string[] = [];
  try {
    const isNew = await makeGroup(plan);
    if (isNew && plan.kind === 'own') made.push(plan.group);
    if (!isNew) await requireSchemata(plan);
    if (plan.schemata.length > 0) {
      const text = plan.schemata.map((line) => `${line}\n`).join('');
      await step(plan, 'write', join(plan.group, 'schemata'), (file) => writeFile(file, text));
    }
    if (plan.monitoring !== undefined) {
      await step(plan, 'mkdir', plan.monitoring, (path) => mkdir(path));
      made.unshift(plan.monitoring);
    }
    return made;
  } catch (error) {
    for (const path of made) await rmdir(path).catch(() => undefined);
    throw error;
  }
}

/** Puts a process into the groups of a plan; its threads and children follow. @throws LaunchError */
export async function enterRdtGroups(plan: RdtPlan, pid: number): Promise<void> {
  const groups = [plan.group, ...(plan.monitoring === undefined ? [] : [plan.monitoring])];
  for (const group of groups) {
    await step(plan, 'write', join(group, 'tasks'), (file) => writeFile(file, String(pid)));
  }
}

/** @returns whether it was not there before */
async function makeGroup(plan: RdtPlan): Promise<boolean> {
  if (plan.kind === 'existing') {
    // A class that nobody has set up allows everything, which is not what was asked for.
    await step(plan, 'read', join(plan.group, 'schemata'), (file) => readFile(file));
    return false;
  }
  return step(plan, 'mkdir', plan.group, async (path) => {
    try {
      await mkdir(path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  });
}

async function requireSchemata(plan: RdtPlan): Promise<void> {
  if (plan.required.length === 0) return;
  const file = join(plan.group, 'schemata');
  const present = await step(plan, 'read', file, (path) => readFile(path, 'utf8'));
  const wrong = plan.required.find((line) => !holdsSchema(present, line));
  if (wrong === undefined) return;
  throw new LaunchError({
    step: RDT_STEP,
    message: `use resctrl group ${plan.group}: its schemata are not ${wrong}`,
    path: file,
    hint: 'Containers of one closID share its limits: give the same ones, or another closID.',
  });
}

async function step<T>(
  { root }: RdtPlan,
  syscall: string,
  path: string,
  action: (path: string) => Promise<T>,
): Promise<T> {
  try {
    return await action(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // The kernel says there why it refused the last write.
    const said = await readFile(join(root, 'info/last_cmd_status'), 'utf8').catch(() => '');
    throw new LaunchError({
      step: RDT_STEP,
      message: `${syscall} ${path}: ${code ?? String(cause)}`,
      ...causedBy(cause),
      syscall,
      path,
      hint: hintFor(code, said.trim()),
    });
  }
}

function hintFor(code: string | undefined, said: string): string {
  if (code === 'ENOENT') return 'A closID without schemata must name a group that is there.';
  if (code === 'ENOSPC') return 'The machine has no class of service or monitoring id left.';
  if (said !== '' && said !== 'ok') return `resctrl says: ${said}`;
  return 'See the kernel’s documentation of resctrl for what its files take.';
}
