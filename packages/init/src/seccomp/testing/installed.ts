import { isScmRightsError } from '@pilotlight/scm-rights';
import { loadLibseccomp, type Libseccomp } from '../../syscall/libseccomp.ts';

/** This machine's libseccomp, or undefined where tests that need it are skipped. */
export function installedLibseccomp(): Libseccomp | undefined {
  try {
    return loadLibseccomp();
  } catch (error) {
    if (isScmRightsError(error, 'ERR_SCM_LIBRARY_LOAD')) return undefined;
    throw error;
  }
}
