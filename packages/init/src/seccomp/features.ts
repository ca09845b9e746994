import { LibraryLoadError } from '@pilotlight/scm-rights';
import type { OciSeccompFlag } from '../config/spec/seccomp.ts';
import { loadLibseccomp, type Libseccomp } from '../syscall/libseccomp.ts';
import { kernelKnowsSeccompAction, kernelKnowsSeccompFlags } from '../syscall/seccomp-support.ts';
import {
  libraryArchitecture,
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  seccompActions,
  seccompArchitectures,
  seccompFlags,
  seccompOperators,
} from './names.ts';

/** `linux.seccomp` of the OCI features structure, features-linux.md. */
export type SeccompFeatures = {
  /** Whether libseccomp is there to compile profiles. */
  enabled: boolean;
  actions: string[];
  operators: string[];
  /** Those that the library knows; which of them go together depends on the machine. */
  archs: string[];
  knownFlags: string[];
  supportedFlags: string[];
  /** Of libseccomp, for example `2.5.4`. */
  libraryVersion: string | undefined;
};

/**
 * What can be done with `linux.seccomp` here, by asking the library and the kernel; nothing is
 * remembered. Actions that this kernel does not know are left out.
 */
export function seccompFeatures(): SeccompFeatures {
  const library = installedLibseccomp();
  const knownFlags = Object.keys(seccompFlags) as OciSeccompFlag[];
  return {
    enabled: library !== undefined,
    actions: names(seccompActions, (action) => kernelKnowsSeccompAction(action)),
    operators: names(seccompOperators, () => true),
    archs:
      library === undefined
        ? []
        : seccompArchitectures
            .filter((name) => library.architecture(libraryArchitecture(name)) !== undefined)
            .toSorted(),
    knownFlags,
    supportedFlags: knownFlags.filter(isSupported),
    libraryVersion: library?.version,
  };
}

function installedLibseccomp(): Libseccomp | undefined {
  try {
    return loadLibseccomp();
  } catch (error) {
    if (error instanceof LibraryLoadError) return undefined;
    throw error;
  }
}

const names = (table: Readonly<Record<string, number>>, want: (value: number) => boolean) =>
  Object.entries(table)
    .filter(([, value]) => want(value))
    .map(([name]) => name)
    .toSorted();

/** The kernel takes the last one only together with a listener. */
const isSupported = (name: OciSeccompFlag): boolean =>
  kernelKnowsSeccompFlags(
    name === 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'
      ? seccompFlags[name] | SECCOMP_FILTER_FLAG_NEW_LISTENER
      : seccompFlags[name],
  );
