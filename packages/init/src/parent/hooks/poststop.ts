import type { OciSpec } from '../../config/oci-spec.ts';
import { validateSpec } from '../../config/load-bundle.ts';
import { planHooks } from '../../plan/hooks.ts';
import { runPlannedPoststop } from './launch-hooks.ts';

export type PoststopOptions = {
  /** Gets the error of each hook that failed: a warning, as runtime.md, Lifecycle, step 13 has it. */
  onWarning?: (warning: Error) => void;
  /** For hooks that have no timeout of their own, in milliseconds. Default 60 000. */
  timeoutMs?: number;
  /** Kills the hook that runs, and starts no other. */
  signal?: AbortSignal;
};

const defaultTimeoutMs = 60_000;

/**
 * Runs the `poststop` hooks of a container that is gone, for a process that deletes what another
 * one launched. Call it once the program has ended and its cgroup is removed.
 *
 * @param spec the specification that the container was launched with
 * @param container its id, and the absolute path of its bundle
 * @throws InvalidConfigError for a specification that is none
 * @throws the signal's reason; a hook that fails is given to `onWarning`, and the rest run
 */
export async function runPoststopHooks(
  spec: OciSpec,
  container: { id: string; bundle: string },
  options: PoststopOptions = {},
): Promise<void> {
  const { onWarning, signal, timeoutMs = defaultTimeoutMs } = options;
  const hooks = planHooks(validateSpec(spec), container.id, container.bundle);
  if (hooks === undefined) return;
  await runPlannedPoststop(hooks, { onWarning, signal, defaultTimeoutMs: timeoutMs });
}
