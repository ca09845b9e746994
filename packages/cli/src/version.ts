import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The version of the OCI runtime specification that `state` and `list` speak. */
export const OCI_VERSION = '1.0.2';

/** What `--version` prints: in the shape of runc's, whose callers take the words after "version" and "spec:". */
export function versionText(): string {
  return `pilotlight version ${packageVersion()}\nspec: ${OCI_VERSION}\nnode: ${process.version}\n`;
}

function packageVersion(): string {
  // By its own name: sources and build lie at different depths below the manifest.
  const manifest = fileURLToPath(import.meta.resolve('@pilotlight/cli/package.json'));
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
