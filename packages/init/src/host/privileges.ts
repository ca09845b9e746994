import { makesNamespaces, mounts, type Probe } from './host-failure.ts';
import { hasSysAdmin } from './host.ts';

const otherCalls = ['sethostname', 'setdomainname', 'bpf'];

/** Namespaces and mounts need CAP_SYS_ADMIN, or a user namespace that gives it; capabilities(7). */
export const missingSysAdmin: Probe = (failure, host) => {
  const { syscall = '', errnoCode, newUserNamespace } = failure;
  if (errnoCode !== 'EPERM' || newUserNamespace === true) return undefined;
  const needsIt = makesNamespaces(failure) || mounts(failure) || otherCalls.includes(syscall);
  if (!needsIt || hasSysAdmin(host) !== false) return undefined;
  const [who, what] =
    host.uid === 0
      ? [
          'This root has no CAP_SYS_ADMIN, as in a container',
          'give it to the container around this process',
        ]
      : ['This user has no CAP_SYS_ADMIN', 'launch as root'];
  return `${who} (CapEff in /proc/self/status), which ${syscall} needs: ${what}, or add a user namespace to the configuration, as rootlessSpec() and \`runc spec --rootless\` do.`;
};
