import { isScmRightsError } from '@pilotlight/scm-rights';
import { UnsupportedConfigError } from '../errors.ts';
import { loadLibseccomp, type Libseccomp } from '../syscall/libseccomp.ts';
import { kernelKnowsSeccompFlags } from '../syscall/seccomp-support.ts';
import { compileFilter } from './compile-filter.ts';
import { FilterCache } from './filter-cache.ts';
import type { FilterProfile } from './plan-profile.ts';

/** What a plan has to ask of this machine. */
export type SeccompHost = {
  /** The profile's filter, an array of struct sock_filter, in base64. */
  filter(profile: FilterProfile): string;
  /** Whether the kernel knows all these flags of SECCOMP_SET_MODE_FILTER. */
  knowsFlags(flags: number): boolean;
};

/** Some hundred kilobytes at most; a program that launches uses few profiles. */
const maxFilters = 32;

const filters = new FilterCache(maxFilters);
const knownFlags = new Map<number, boolean>();

/** This machine: libseccomp is loaded when the first profile comes, and equal profiles are compiled once. */
export const seccompHost: SeccompHost = {
  filter(profile) {
    return filters.get(profile, () =>
      Buffer.from(compileFilter(profile, requireLibseccomp())).toString('base64'),
    );
  },
  knowsFlags(flags) {
    const known = knownFlags.get(flags) ?? kernelKnowsSeccompFlags(flags);
    knownFlags.set(flags, known);
    return known;
  },
};

/** @throws UnsupportedConfigError that says what to install */
export function requireLibseccomp(load: () => Libseccomp = loadLibseccomp): Libseccomp {
  try {
    return load();
  } catch (cause) {
    if (!isScmRightsError(cause, 'ERR_SCM_LIBRARY_LOAD')) throw cause;
    throw new UnsupportedConfigError('linux.seccomp', cause.message, [], {
      cause,
      hint: 'Install libseccomp 2.5 or newer: the package is libseccomp2 on Debian, Ubuntu and openSUSE, libseccomp on Fedora, Alpine and Arch.',
    });
  }
}
