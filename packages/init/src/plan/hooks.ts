import type { OciSpec } from '../config/oci-spec.ts';
import { hookKinds, type OciHookKind } from '../config/spec/hooks.ts';
import type { OciStateFacts } from '../hooks/oci-state.ts';

/** One hook, ready to run. */
export type PlannedHook = {
  kind: OciHookKind;
  /** In its list of the configuration. */
  index: number;
  path: string;
  /** Never empty. */
  args: readonly string[];
  env: readonly string[];
  /** `null` where the configuration gives none. */
  timeoutMs: number | null;
};

/** All hooks of a launch, each list in the order of the configuration. */
export type PlannedHooks = Record<OciHookKind, readonly PlannedHook[]> & { state: OciStateFacts };

/** The hooks that the child runs itself, in the container's namespaces. */
export type ChildHooks = {
  state: OciStateFacts;
  createContainer: readonly PlannedHook[];
  startContainer: readonly PlannedHook[];
};

/** The hooks of a specification; `undefined` where there are none. */
export function planHooks(spec: OciSpec, id: string, bundle: string): PlannedHooks | undefined {
  const lists = hookKinds.map((kind): [OciHookKind, PlannedHook[]] => [
    kind,
    (spec.hooks?.[kind] ?? []).map(({ path, args, env, timeout }, index) => ({
      kind,
      index,
      path,
      args: args === undefined || args === null || args.length === 0 ? [path] : args,
      env: env ?? [],
      timeoutMs: timeout === undefined || timeout === null ? null : timeout * 1000,
    })),
  ]);
  if (lists.every(([, hooks]) => hooks.length === 0)) return undefined;
  const state: OciStateFacts = { id, bundle, annotations: spec.annotations ?? {} };
  return { state, ...(Object.fromEntries(lists) as Record<OciHookKind, PlannedHook[]>) };
}

/** The part of them that the child needs; `undefined` where it has none to run. */
export function childHooks(hooks: PlannedHooks | undefined): ChildHooks | undefined {
  if (hooks === undefined) return undefined;
  const { state, createContainer, startContainer } = hooks;
  if (createContainer.length + startContainer.length === 0) return undefined;
  return { state, createContainer, startContainer };
}

/** How long these hooks may take together by their own timeouts, in milliseconds. */
export const totalTimeoutMs = (hooks: readonly PlannedHook[]): number =>
  hooks.reduce((total, { timeoutMs }) => total + (timeoutMs ?? 0), 0);
