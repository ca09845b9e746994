import type { OwnedFd } from '@pilotlight/scm-rights';
import type { HeldRole } from '../monitor/wire/client-protocol.ts';
import type {
  ExecConfig,
  ExecOptions,
  LaunchConfig,
  LaunchedProcess,
  LaunchOptions,
  PreparedLaunch,
} from '@pilotlight/init';
import type { StoreRoot } from '../root/store-root.ts';
import type { MonitorConnection } from '../monitor/client/connect-monitor.ts';
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
 * child waits at its gate, its pidfd is pinned (tier A) or held by the monitor (tier B), `proc.json` is written, the new
 * record is in the place of the old one (restarts), `released` is written, the program runs.
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

/** How a store talks to its monitor. */
export interface MonitorAccess {
  /** A connection; starts the monitor if there is none. The caller closes it. Throws MonitorError, RootError. */
  connect: (signal?: AbortSignal) => Promise<MonitorConnection>;
}

/** The monitor, for launches that it does itself. */
export interface OwnMonitor {
  /** Takes over the descriptors; resolves when the keeper holds them too. */
  keep: (key: string, held: readonly { role: HeldRole; fd: OwnedFd }[]) => Promise<void>;
  /** Watches a recorded process; resolves when all that is done for it has begun. */
  attend: (key: string) => Promise<void>;
}

/** What the operations of one open store share. */
export interface StoreContext {
  root: StoreRoot;
  /** What was launched by this store object and is still watched by it. */
  live: Map<string, LiveProcess>;
  launcher: Launcher | undefined;
  executor: Executor | undefined;
  at: (step: LaunchStep) => Promise<void> | void;
  /** Whether somebody is at each step. */
  hasSteps?: boolean;
  /** Undefined in the monitor itself. */
  monitor?: MonitorAccess | undefined;
  /** In the monitor: what others ask it for over its socket. */
  own?: OwnMonitor | undefined;
}
