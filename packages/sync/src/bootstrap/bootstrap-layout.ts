import { parseRuncVersion, precedes } from '../runc-version.ts';

/** What an attribute of the bootstrap message is about; see the members of `BootstrapMessage`. */
export type BootstrapAttribute =
  | 'pid'
  | 'cloneFlags'
  | 'consolePath'
  | 'nsPaths'
  | 'uidMappings'
  | 'gidMappings'
  | 'setgroups'
  | 'oomScoreAdj'
  | 'rootlessEuid'
  | 'uidMapPath'
  | 'gidMapPath'
  | 'mountSources'
  | 'timeOffsets';

/** The runc releases between which the numbers of the attributes changed, by the first of each. */
export type BootstrapLayoutName =
  | 'runc-0.0.6'
  | 'runc-0.0.9'
  | 'runc-1.0.0-rc3'
  | 'runc-1.0.0-rc4'
  | 'runc-1.0.0-rc5'
  | 'runc-1.0.0-rc6'
  | 'runc-1.1'
  | 'runc-1.2';

/** How a span of runc releases writes the bootstrap message. */
export type BootstrapLayout = {
  readonly spokenBy: string;
  /** The number of each attribute that these releases have, in the order in which they write them. */
  readonly numbers: { readonly [attribute in BootstrapAttribute]?: number };
  /** A truth value is one byte without padding (up to 1.0.0-rc5), or 32 bits. */
  readonly truthBytes: 1 | 4;
  /** Whether the type stands before each namespace's path (since 1.0.0-rc3). */
  readonly namesNamespaces: boolean;
};

// The order of the members is the order on the wire.
const sinceRc6 = {
  cloneFlags: 27281,
  nsPaths: 27282,
  uidMapPath: 27288,
  uidMappings: 27283,
  gidMappings: 27284,
  gidMapPath: 27289,
  setgroups: 27285,
  oomScoreAdj: 27286,
  rootlessEuid: 27287,
} as const;

/**
 * The layouts by the first release of each. A reader ends the launch at an attribute it does not
 * know, and 27290 changed its meaning between 1.1 and 1.2, so the release must be known.
 * Source: libcontainer/message_linux.go and nsexec.c, runc 0.0.6 to 1.5.1.
 */
export const bootstrapLayouts: Readonly<Record<BootstrapLayoutName, BootstrapLayout>> =
  Object.freeze({
    'runc-0.0.6': {
      spokenBy: 'runc 0.0.6 to 0.0.8, joining only',
      numbers: { pid: 27281, consolePath: 27282 },
      truthBytes: 1,
      namesNamespaces: false,
    },
    'runc-0.0.9': {
      spokenBy: 'runc 0.0.9 to 1.0.0-rc2',
      numbers: {
        cloneFlags: 27281,
        consolePath: 27282,
        nsPaths: 27283,
        uidMappings: 27284,
        gidMappings: 27285,
        setgroups: 27286,
      },
      truthBytes: 1,
      namesNamespaces: false,
    },
    'runc-1.0.0-rc3': {
      spokenBy: 'runc 1.0.0-rc3',
      numbers: {
        cloneFlags: 27281,
        nsPaths: 27282,
        uidMappings: 27283,
        gidMappings: 27284,
        setgroups: 27285,
      },
      truthBytes: 1,
      namesNamespaces: true,
    },
    'runc-1.0.0-rc4': {
      spokenBy: 'runc 1.0.0-rc4',
      numbers: {
        cloneFlags: 27281,
        nsPaths: 27282,
        uidMappings: 27283,
        gidMappings: 27284,
        setgroups: 27285,
        oomScoreAdj: 27286,
        rootlessEuid: 27287,
      },
      truthBytes: 1,
      namesNamespaces: true,
    },
    'runc-1.0.0-rc5': {
      spokenBy: 'runc 1.0.0-rc5',
      numbers: sinceRc6,
      truthBytes: 1,
      namesNamespaces: true,
    },
    'runc-1.0.0-rc6': {
      spokenBy: 'runc 1.0.0-rc6 to 1.0.3',
      numbers: sinceRc6,
      truthBytes: 4,
      namesNamespaces: true,
    },
    'runc-1.1': {
      spokenBy: 'runc 1.1.0-rc.1 to 1.1.15',
      numbers: { ...sinceRc6, mountSources: 27290 },
      truthBytes: 4,
      namesNamespaces: true,
    },
    'runc-1.2': {
      spokenBy: 'runc 1.2.0-rc.1 to 1.5.1',
      numbers: { ...sinceRc6, timeOffsets: 27290 },
      truthBytes: 4,
      namesNamespaces: true,
    },
  });

const since: readonly (readonly [version: string, layout: BootstrapLayoutName])[] = [
  ['1.2.0-rc.1', 'runc-1.2'],
  ['1.1.0-rc.1', 'runc-1.1'],
  ['1.0.0-rc6', 'runc-1.0.0-rc6'],
  ['1.0.0-rc5', 'runc-1.0.0-rc5'],
  ['1.0.0-rc4', 'runc-1.0.0-rc4'],
  ['1.0.0-rc3', 'runc-1.0.0-rc3'],
  ['0.0.9', 'runc-0.0.9'],
  ['0.0.6', 'runc-0.0.6'],
];

/**
 * The layout that a release of runc reads, from the version it prints. Undefined for a text that is
 * no release, and for 0.0.5 and older, which have no bootstrap message.
 */
export function bootstrapLayoutOfRunc(version: string): BootstrapLayoutName | undefined {
  const parsed = parseRuncVersion(version);
  if (parsed === undefined) return undefined;
  return since.find(([first]) => {
    const bound = parseRuncVersion(first);
    return bound !== undefined && !precedes(parsed, bound);
  })?.[1];
}
