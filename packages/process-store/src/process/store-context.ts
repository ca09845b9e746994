import type {
  ExecConfig,
  ExecOptions,
  LaunchConfig,
  LaunchedProcess,
  LaunchOptions,
  PreparedLaunch,
} from '@pilotlight/init';
import type { StoreRoot } from '../root/store-root.ts';
import type { LiveProcess } from './live-process.ts';

/** What a launch needs of a running program; @pilotlight/init's LaunchedProcess has it. */
export type Launched = Pick<
  LaunchedProcess,
  'pid' | 'pidfd' | 'phases' | 'stdin' | 'stdout' | 'stderr' | 'exited' | 'signal' | 'detach'
>;

/** What a launch needs of a child at its gate; @pilotlight/init's PreparedLaunch has it. */
export type Prepared = Pick<PreparedLaunch, 'pid' | 'pidfd' | 'cgroupPaths' | 'abort'> & {
  run: () => Promise<Launched>;
};

/** Makes a child that waits at its gate. */
export type Launcher = (config: LaunchConfig, options: LaunchOptions) => Promise<Prepared>;

/** Makes a child in a running container that waits at its gate. */
export type Executor = (config: ExecConfig, options: ExecOptions) => Promise<Prepared>;

/**
 * The steps of a launch, each named for what is true after it: the folder is made and locked, `spec.json` is written, the
 * child waits at its gate, its pidfd is pinned (tier A), `proc.json` is written, the new record is in the place of the old one (restarts), `released` is written, the program runs.
 */
export type LaunchStep =
  | 'reserved'
  | 'specified'
  | 'prepared'
  | 'pinned'
  | 'recorded'
  | 'replaced'
  | 'released'
  | 'started';

/** What the operations of one open store share. */
export interface StoreContext {
  root: StoreRoot;
  /** What was launched by this store object and is still watched by it. */
  live: Map<string, LiveProcess>;
  launcher: Launcher | undefined;
  executor: Executor | undefined;
  at: (step: LaunchStep) => Promise<void> | void;
}
