/**
 * The environment for a runtime: the given one without NOTIFY_SOCKET, which a runtime would pass on into the container, and
 * without `without`.
 */
export function runtimeEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  ...without: readonly string[]
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || name === 'NOTIFY_SOCKET' || without.includes(name)) continue;
    kept[name] = value;
  }
  return kept;
}
