import { resolve } from 'node:path';
import type { OciSpec } from '../config/oci-spec.ts';
import type { OciSeccomp } from '../config/spec/seccomp.ts';
import { UnsupportedConfigError } from '../errors.ts';
import { seccompHost, type SeccompHost } from './host.ts';
import { SECCOMP_FILTER_FLAG_NEW_LISTENER, seccompFlags } from './names.ts';
import { planProfile, usesNotification } from './plan-profile.ts';

/** What the child loads. */
export type PlannedSeccomp = {
  /** An array of struct sock_filter, in base64. */
  filter: string;
  /** SECCOMP_FILTER_FLAG_… for seccomp(2). */
  flags: number;
  /** Whether loading gives a descriptor that the parent takes over. */
  notify: boolean;
};

/** Who decides about SCMP_ACT_NOTIFY, and what it is told. */
export type SeccompAgent = {
  /** A Unix stream socket; an abstract one begins with `@`. */
  path: string;
  metadata: string | undefined;
  /** Of the configuration, as is the rest: parts of the container's state. */
  ociVersion: string;
  bundle: string;
  annotations: Record<string, string>;
};

export type SeccompPlan = { seccomp: PlannedSeccomp; agent: SeccompAgent | undefined };

/**
 * Decides how `linux.seccomp` is kept; undefined without a profile, and then nothing is loaded.
 *
 * @throws InvalidConfigError where fields contradict each other
 * @throws UnsupportedConfigError where libseccomp is missing, or it or the kernel cannot do it
 */
export function planSeccomp(
  spec: OciSpec,
  bundle: string,
  host: SeccompHost = seccompHost,
): SeccompPlan | undefined {
  const seccomp = spec.linux?.seccomp;
  if (seccomp === undefined || seccomp === null) return undefined;
  const profile = planProfile(seccomp);
  const notify = usesNotification(seccomp);
  const flags = planFlags(seccomp, notify, host);
  const path = seccomp.listenerPath ?? '';
  return {
    seccomp: { filter: host.filter(profile), flags, notify },
    agent: notify
      ? {
          // Relative to the bundle, where runc stands when it connects.
          path: path.startsWith('@') ? path : resolve(bundle, path),
          metadata: seccomp.listenerMetadata,
          ociVersion: spec.ociVersion,
          bundle,
          annotations: spec.annotations ?? {},
        }
      : undefined,
  };
}

function planFlags({ flags }: OciSeccomp, notify: boolean, host: SeccompHost): number {
  let planned = notify ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  if (notify && !host.knowsFlags(planned)) {
    throw new UnsupportedConfigError('linux.seccomp', 'SCMP_ACT_NOTIFY needs Linux 5.5', [], {
      hint: 'Change the profile, or the kernel.',
    });
  }
  for (const [index, name] of (flags ?? ['SECCOMP_FILTER_FLAG_SPEC_ALLOW']).entries()) {
    // A child has one thread, and without a listener nobody waits for an answer; the kernel refuses both.
    if (name === 'SECCOMP_FILTER_FLAG_TSYNC') continue;
    if (name === 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV' && !notify) continue;
    const wanted = planned | seccompFlags[name];
    if (!host.knowsFlags(wanted)) {
      throw new UnsupportedConfigError(
        `linux.seccomp.flags[${index}]`,
        `this kernel does not know ${name}`,
        [],
        { hint: 'Remove the flag from the profile, or use a newer kernel; see seccomp(2).' },
      );
    }
    planned = wanted;
  }
  return planned;
}
