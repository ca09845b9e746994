/** The version of the OCI runtime specification that the state complies with. */
export const OCI_VERSION = '1.3.0';

export type OciStatus = 'creating' | 'created' | 'running' | 'stopped';

/** What stays the same about a container's state throughout its life. */
export type OciStateFacts = {
  id: string;
  /** Absolute path of the directory. */
  bundle: string;
  annotations?: Readonly<Record<string, string>> | undefined;
};

/**
 * The state of a container as hooks and `state` get it; runtime.md, State. Its keys are in the
 * order in which runc writes them.
 */
export type OciState = {
  ociVersion: string;
  id: string;
  status: OciStatus;
  /** As the reader of the state sees it; absent where there is none. */
  pid?: number;
  bundle: string;
  annotations?: Readonly<Record<string, string>>;
};

/** Builds the state. A stopped container has no pid; without annotations the key is left out. */
export function ociState(facts: OciStateFacts, status: OciStatus, pid?: number): OciState {
  const { id, bundle, annotations = {} } = facts;
  return {
    ociVersion: OCI_VERSION,
    id,
    status,
    ...(pid === undefined || status === 'stopped' ? {} : { pid }),
    bundle,
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
}
