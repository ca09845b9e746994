import type { OciIdMapping } from './namespaces.ts';

/** config.md, Mounts. */
export type OciMount = {
  /** Inside the root. Relative ones are deprecated and taken from `/`. */
  destination: string;
  type?: string | undefined;
  source?: string | undefined;
  options?: string[] | null | undefined;
  /** For bind mounts: what ids of the source look like; both or none, Linux 5.12. */
  uidMappings?: OciIdMapping[] | null | undefined;
  gidMappings?: OciIdMapping[] | null | undefined;
};

/** config-linux.md, Devices. */
export type OciDevice = {
  /** Absolute, inside the root. */
  path: string;
  /** Character device (`u` is one without a buffer), block device, or FIFO. */
  type: 'c' | 'b' | 'u' | 'p';
  /** Needed for all but a FIFO. */
  major?: number | undefined;
  minor?: number | undefined;
  /** Permissions; default 0o666. */
  fileMode?: number | undefined;
  uid?: number | undefined;
  gid?: number | undefined;
};

/** config-linux.md, Rootfs Mount Propagation. */
export type OciRootfsPropagation =
  | ''
  | 'private'
  | 'rprivate'
  | 'slave'
  | 'rslave'
  | 'shared'
  | 'rshared'
  | 'unbindable'
  | 'runbindable';
