// `linux.namespaces`, the id mappings and the time offsets of config-linux.md.

export type OciNamespaceType =
  | 'pid'
  | 'network'
  | 'ipc'
  | 'uts'
  | 'mount'
  | 'cgroup'
  | 'user'
  | 'time';

/** With a path it is joined; without one it is made. */
export type OciNamespace = { type: OciNamespaceType; path?: string | undefined };

/** `size` ids from `containerID` inside are `hostID` and up outside; user_namespaces(7). */
export type OciIdMapping = { containerID: number; hostID: number; size: number };

/** How far a clock of the container is ahead of the host's; time_namespaces(7). */
export type OciTimeOffset = { secs?: number | bigint | undefined; nanosecs?: number | undefined };

export type OciTimeOffsets = {
  monotonic?: OciTimeOffset | undefined;
  boottime?: OciTimeOffset | undefined;
};
