import {
  connectStream,
  type FdLike,
  isScmRightsError,
  isSyscallError,
  type OwnedFd,
  pidfdGetfd,
} from '@pilotlight/scm-rights';
import { decodeSeccompFd, stringifyExactJson, type SyncMessage } from '@pilotlight/sync';
import { causedBy, LaunchError } from '../errors.ts';
import type { SeccompAgent } from '../seccomp/plan-seccomp.ts';
import { parentFailure } from './launch-error.ts';

export type SeccompQuestion = {
  message: SyncMessage;
  /** Whose filter it is. */
  child: { pid: number; pidfd: FdLike };
  container: {
    id: string;
    /** Of the container's first process. */
    pid: number;
    /** `running` for a process that is added to a container. */
    status: 'creating' | 'running';
  };
  agent: SeccompAgent;
  /** Sends procSeccompDone. */
  acknowledge: () => Promise<void>;
  signal: AbortSignal;
};

/**
 * Takes the listener of a child's filter and hands it to the agent, with the state of the process.
 *
 * The child is answered before the agent is spoken to: an agent may need its time, and the child
 * may need the agent for its next system call. By number and not by message, because the profile
 * may notify about sendmsg(2). runc does the same (libcontainer/process_linux.go, 1.1).
 *
 * @throws LaunchError of the step `seccomp` when the descriptor cannot be had or the agent not be reached
 */
export async function answerSeccomp(question: SeccompQuestion): Promise<void> {
  const { message, child, agent, acknowledge, signal } = question;
  using listener = takeListener(child.pidfd, decodeSeccompFd(message.arg ?? ''));
  await acknowledge();
  try {
    await sendState(agent.path, processState(question), listener, signal);
  } catch (cause) {
    if (!isScmRightsError(cause) && !isSyscallError(cause)) throw cause;
    throw new LaunchError({
      step: 'seccomp',
      message: `hand the seccomp listener to the agent at ${agent.path}: ${cause.message}`,
      path: agent.path,
      ...causedBy(cause),
      hint: 'The agent of linux.seccomp.listenerPath must listen on that Unix stream socket before the launch.',
    });
  }
}

function takeListener(pidfd: FdLike, fd: number): OwnedFd {
  try {
    return pidfdGetfd(pidfd, fd);
  } catch (error) {
    // The child is closed to ptrace(2) from its first step on, for everybody else too.
    throw isSyscallError(error, 'EPERM')
      ? new LaunchError({
          step: 'seccomp',
          message: `take the seccomp listener of the child: ${error.message}`,
          ...causedBy(error),
          hint: 'SCMP_ACT_NOTIFY needs a launcher with CAP_SYS_PTRACE: launch as root, or change the profile.',
        })
      : parentFailure('seccomp', error);
  }
}

/** ContainerProcessState of config-linux.md, with runc's keys in runc's order. */
function processState({ child, container, agent }: SeccompQuestion): string {
  const { ociVersion, metadata, bundle, annotations } = agent;
  const { id, pid, status } = container;
  return stringifyExactJson({
    ociVersion,
    fds: ['seccompFd'],
    pid: child.pid,
    ...(metadata === undefined || metadata === '' ? {} : { metadata }),
    state: {
      ociVersion,
      id,
      status,
      pid,
      bundle,
      ...(Object.keys(annotations).length === 0 ? {} : { annotations: sorted(annotations) }),
    },
  });
}

/** By key, as Go writes maps. */
const sorted = (annotations: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(annotations).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** One message on one connection, which is then closed: config-linux.md, Seccomp. */
async function sendState(
  path: string,
  text: string,
  listener: OwnedFd,
  signal: AbortSignal,
): Promise<void> {
  const stream = await connectStream(path, { signal });
  try {
    await new Promise<void>((resolve, reject) => {
      const giveUp = (): void => reject(signal.reason as Error);
      signal.addEventListener('abort', giveUp, { once: true });
      stream.once('error', reject);
      stream.writeWithFds(Buffer.from(text), [listener], (error) => {
        signal.removeEventListener('abort', giveUp);
        if (error) reject(error);
        else resolve();
      });
    });
  } finally {
    // Whatever it said meanwhile; nothing is read here.
    stream.on('error', () => undefined);
    stream.destroy();
  }
}
