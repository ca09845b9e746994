import type { OciSpec } from './oci-spec.ts';
import { stockMaskedPaths, stockReadonlyPaths, stockSpec } from './stock-spec.ts';

export type HostRootOptions = {
  args: readonly string[];
  /** Absolute path inside the sandbox. Default `/`. */
  cwd?: string;
  /** `NAME=value` entries. Default: PATH and TERM only. */
  env?: readonly string[];
  terminal?: boolean;
  hostname?: string;
};

/**
 * A specification that runs a command line on the host's own root file system: no image needed.
 *
 * The root and everything mounted below it is read-only; /tmp, /run, /proc and /dev are the
 * sandbox's own, and so are its process ids, IPC, host name and network (loopback only). /run is
 * private because sockets of the host's daemons live there, and a read-only mount does not stop
 * anybody from connecting to them.
 */
export function hostRootSpec(options: HostRootOptions): OciSpec {
  const stock = stockSpec();
  return {
    ociVersion: stock.ociVersion,
    process: {
      ...stock.process,
      terminal: options.terminal ?? false,
      args: [...options.args],
      cwd: options.cwd ?? '/',
      ...(options.env === undefined ? {} : { env: [...options.env] }),
    },
    root: { path: '/', readonly: true },
    hostname: options.hostname ?? 'pilotlight',
    mounts: [
      ...(stock.mounts ?? []).filter((mount) => !mount.destination.startsWith('/sys')),
      ...['/tmp', '/run'].map((destination) => ({
        destination,
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'nodev', destination === '/tmp' ? 'mode=1777' : 'mode=755'],
      })),
    ],
    linux: {
      namespaces: [
        { type: 'pid' },
        { type: 'network' },
        { type: 'ipc' },
        { type: 'uts' },
        { type: 'mount' },
      ],
      maskedPaths: [...stockMaskedPaths],
      readonlyPaths: [...stockReadonlyPaths],
    },
  };
}
