import type { OciSpec } from '@pilotlight/init';

/** The least specification that runs these arguments. */
export function specOf(...args: string[]): OciSpec {
  return {
    ociVersion: '1.2.0',
    process: {
      args,
      cwd: '/',
      rlimits: [{ type: 'RLIMIT_CORE', soft: 0n, hard: 0xffff_ffff_ffff_ffffn }],
    },
    root: { path: '/' },
  };
}
