import type { PlannedActivation } from '../plan/activation.ts';
import type { Syscall } from '../syscall/syscall.ts';

/** What sd_listen_fds(3) looks for; the program's own, or a launching service's, would be wrong. */
const ours = /^LISTEN_(FDS|PID|FDNAMES)=/;

/** Adds the variables of socket activation; LISTEN_PID is the pid that the program has inside. */
export function activationEnvironment(
  sys: Syscall,
  env: readonly string[],
  activation: PlannedActivation | undefined,
): readonly string[] {
  if (activation === undefined) return env;
  const { count, names } = activation;
  return [
    ...env.filter((entry) => !ours.test(entry)),
    `LISTEN_FDS=${count}`,
    `LISTEN_PID=${sys.getpid()}`,
    ...(names === undefined ? [] : [`LISTEN_FDNAMES=${names.join(':')}`]),
  ];
}
