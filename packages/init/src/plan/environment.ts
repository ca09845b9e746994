/**
 * The environment with each name once: the last of several counts, as under runc. Which of them a
 * program would find is nowhere specified (environ(7)), and a second one can get past a check of the first.
 *
 * @param env entries of the form NAME=value
 */
export function planEnvironment(env: readonly string[]): string[] {
  const last = new Map<string, string>();
  for (const entry of env) {
    const name = entry.slice(0, entry.indexOf('='));
    last.delete(name);
    last.set(name, entry);
  }
  return [...last.values()];
}
