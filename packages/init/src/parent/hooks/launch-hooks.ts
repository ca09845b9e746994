import type { OciHookKind } from '../../config/spec/hooks.ts';
import { ociState, type OciStatus } from '../../hooks/oci-state.ts';
import type { PlannedHooks } from '../../plan/hooks.ts';
import { type HookOptions, runHook } from './run-hook.ts';

export type LaunchHookOptions = Omit<HookOptions, 'state' | 'cwd'>;

/**
 * Runs all hooks of one kind, in the order of the configuration, until one fails.
 *
 * @throws as runHook
 */
export async function runHooks(
  hooks: PlannedHooks,
  kind: OciHookKind,
  state: { status: OciStatus; pid: number },
  options: LaunchHookOptions,
): Promise<void> {
  for (const hook of hooks[kind]) {
    await runHook(hook, {
      ...options,
      cwd: hooks.state.bundle,
      state: ociState(hooks.state, state.status, state.pid),
    });
  }
}

/** Runs all `poststop` hooks: one that fails is told, and the rest run all the same. */
export async function runPlannedPoststop(
  hooks: PlannedHooks,
  options: LaunchHookOptions & { onWarning?: ((warning: Error) => void) | undefined },
): Promise<void> {
  const { onWarning, ...rest } = options;
  const warnings: Error[] = [];
  for (const hook of hooks.poststop) {
    const state = ociState(hooks.state, 'stopped');
    await runHook(hook, { ...rest, cwd: hooks.state.bundle, state }).catch((failure: unknown) => {
      if (rest.signal?.aborted === true) throw failure;
      warnings.push(failure as Error);
    });
  }
  for (const warning of warnings) onWarning?.(warning);
}
