import type { ProcessConfig } from '../config/init-config.ts';
import type { ChildPlan } from '../plan/plan-process.ts';
import type { PlannedHooks } from '../plan/hooks.ts';
import type { MountAnswer } from './answer-mount-please.ts';
import type { SeccompQuestion } from './answer-seccomp.ts';
import type { OpenNamespaces } from './open-namespaces.ts';
import type { PhaseClock } from './phases.ts';
import type { ResourceGroups } from './resource-groups.ts';
import type { ForkedChild, Zygote } from './zygote.ts';

export type HookOptions = { signal: AbortSignal | undefined; defaultTimeoutMs: number };

/**
 * What is launched: the first process of a container, or one that enters a container. It knows
 * what to prepare for the child and what to answer; `Launching` knows the handshake.
 */
export interface Undertaking {
  readonly plan: ChildPlan;
  readonly groups: ResourceGroups;
  /** Before anything is done. @throws UnsupportedConfigError for what this zygote cannot do */
  requireSupport?(zygote: Zygote): void;
  /** @throws LaunchError; nothing stays open then */
  openNamespaces(): OpenNamespaces;
  /** Does what the child relies on from its first stage on. @returns its config. @throws LaunchError */
  readyChild(child: ForkedChild, clock: PhaseClock): Promise<ProcessConfig>;
  /** False once a child was given what there is only one of: no other child can take its place then. */
  readonly isRepeatable: boolean;
  /** Whose filter a seccomp agent is told of. */
  containerOf(child: ForkedChild): SeccompQuestion['container'];
  /** Right before the gate opens. @throws LaunchError */
  beforeRun?(child: ForkedChild): Promise<void>;
  /** Absent where the child opens nothing that it could be kept from. */
  answerMountPlease?: (arg: string, zygote: Zygote) => Promise<MountAnswer>;
  /** What a container's lifecycle has; a child without does not say procHooks. */
  readonly hooks?: LifecycleHooks;
}

/** The hooks that the parent runs. Each answers whether there were any; a failure is thrown as LaunchError. */
export interface LifecycleHooks {
  readonly planned: PlannedHooks | undefined;
  /** Whether the child may be running one that would outlive it. */
  readonly mayOutliveChild: boolean;
  beforePivot(child: ForkedChild, options: HookOptions): Promise<boolean>;
  afterExec(child: ForkedChild, options: HookOptions): Promise<boolean>;
  /** Fails never: failures are warnings. */
  afterEnd(options: HookOptions, onWarning?: (warning: Error) => void): Promise<void>;
}
