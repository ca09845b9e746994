/** The kinds of hooks of the OCI runtime specification, in the order in which a launch comes to them. */
export const hookKinds = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const;

export type OciHookKind = (typeof hookKinds)[number];

/** One program that the runtime runs at its moment of the lifecycle; config.md, POSIX-platform Hooks. */
export type OciHook = {
  /** Absolute. Resolved in the runtime's namespaces; of `startContainer` inside the container. */
  path: string;
  /** The first is argv[0]. Absent or empty: the path alone. */
  args?: string[] | null | undefined;
  /** `NAME=value`; the whole environment. */
  env?: string[] | null | undefined;
  /** Seconds, above 0. */
  timeout?: number | null | undefined;
};

export type OciHooks = Partial<Record<OciHookKind, OciHook[] | null | undefined>>;
