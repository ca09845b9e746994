import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stockSpec } from '@pilotlight/init';

/** A bundle whose container sleeps: this machine's sleep(1) with the libraries it needs. Returns the path of its root. */
export function makeSleepingBundle(bundle: string): string {
  const rootfs = join(bundle, 'rootfs');
  const sleep = realpathSync('/bin/sleep');
  const libraries = execFileSync('ldd', [sleep], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  mkdirSync(join(rootfs, 'bin'), { recursive: true });
  copyFileSync(sleep, join(rootfs, 'bin', 'sleep'));
  for (const library of libraries) {
    mkdirSync(join(rootfs, dirname(library)), { recursive: true });
    copyFileSync(library, join(rootfs, library));
  }
  const spec = stockSpec();
  spec.process.terminal = false;
  spec.process.args = ['/bin/sleep', '1000000'];
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec));
  return rootfs;
}
