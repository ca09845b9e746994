import { resolve } from 'node:path';
import type { StoredProcess } from '@pilotlight/process-store';
import { OCI_VERSION } from '../version.ts';

/** The state of a container as the OCI runtime specification has it, with the fields that runc adds. */
export interface OciState {
  ociVersion: string;
  id: string;
  /** 0 once it has stopped. */
  pid: number;
  status: string;
  bundle: string;
  /** Absolute path of the root file system. */
  rootfs: string;
  /** RFC 3339, UTC. */
  created: string;
  annotations?: Readonly<Record<string, string>>;
  /** Name of the user the record belongs to; `state` leaves it empty, as runc does. */
  owner: string;
}

/** What `state` and `list` tell of a process, in runc's order of keys. */
export function ociState(process: StoredProcess, owner: string): OciState {
  const { id, bundle, createdAt: created, spec } = process;
  const status = ociStatus(process);
  return {
    ociVersion: OCI_VERSION,
    id,
    pid: status === 'stopped' ? 0 : process.pid,
    status,
    bundle,
    rootfs: resolve(bundle, spec.rootPath ?? ''),
    created,
    ...(Object.keys(spec.annotations).length === 0 ? {} : { annotations: spec.annotations }),
    owner,
  };
}

/** To callers a process that waits for its parent has stopped. */
function ociStatus({ state }: StoredProcess): string {
  return state === 'zombie' ? 'stopped' : state;
}
