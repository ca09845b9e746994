import { mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isPin, unmountPrivately, unpin } from '@pilotlight/scm-rights';

/** A directory for one test; disposing removes it with every pin and mount in it. */
export class Scratch implements Disposable {
  readonly path: string = realpathSync(mkdtempSync(join(tmpdir(), 'process-store-')));

  /** A store root in it, which does not exist yet. */
  get root(): string {
    return join(this.path, 'root');
  }

  /** Mount points under it, the innermost first. */
  mounts(): string[] {
    return readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((point) => point.startsWith(`${this.path}/`))
      .toReversed();
  }

  /** What is in it, as relative paths. */
  files(): string[] {
    return readdirSync(this.path, { recursive: true }).map(String).toSorted();
  }

  [Symbol.dispose](): void {
    for (const point of this.mounts()) {
      if (isPin(point)) unpin(point);
      else unmountPrivately(point);
    }
    rmSync(this.path, { recursive: true, force: true });
  }
}
