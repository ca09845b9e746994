import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import { Scratch } from '../scratch.ts';
import { run } from './hostile.ts';

/** A tmpfs of its own in a scratch directory; disposing unmounts and removes all. */
export class SmallDisk implements Disposable {
  readonly #scratch = new Scratch();
  readonly path: string = join(this.#scratch.path, 'disk');

  /** `options` as in mount(8), such as `size=64k` or `nr_inodes=20`. */
  constructor(options = 'size=256k') {
    mkdirSync(this.path, { mode: 0o700 });
    run('mount', '-t', 'tmpfs', '-o', `mode=0700,${options}`, 'tmpfs', this.path);
    // Else a private mount of the root would have to cover a shared one.
    run('mount', '--make-private', this.path);
  }

  /** A store root in it, which does not exist yet. */
  get root(): string {
    return join(this.path, 'root');
  }

  /** Where files outside of the disk may be put. */
  get outside(): string {
    return this.#scratch.path;
  }

  /** Mount points in it, the innermost first; without the disk itself. */
  mounts(): string[] {
    return this.#scratch.mounts().filter((point) => point !== this.path);
  }

  /** Takes all space that is left. */
  fill(): void {
    const file = openSync(join(this.path, 'ballast'), 'a');
    try {
      while (statfsSync(this.path).bfree > 0) writeSync(file, Buffer.alloc(4096));
    } finally {
      closeSync(file);
    }
  }

  /** Takes all inodes that are left but for a few. */
  fillInodes(leave = 0): void {
    for (let index = 0; statfsSync(this.path).ffree > leave; index++) {
      writeFileSync(join(this.path, `ballast-${index}`), '');
    }
  }

  /** Gives the space back. */
  free(): void {
    for (const name of this.ballast()) rmSync(join(this.path, name));
  }

  ballast(): string[] {
    return this.#scratch
      .files()
      .map((name) => name.slice('disk/'.length))
      .filter((name) => name.startsWith('ballast'));
  }

  /** What is in it besides ballast. */
  files(): string[] {
    return this.#scratch
      .files()
      .filter((name) => name.startsWith('disk/') && !name.startsWith('disk/ballast'));
  }

  /** Makes it read-only, or writable again, as soon as nobody writes. */
  async remount(mode: 'ro' | 'rw'): Promise<void> {
    await vi.waitFor(() => run('mount', '-o', `remount,${mode}`, this.path), { timeout: 30_000 });
  }

  [Symbol.dispose](): void {
    // What a failed test left in it may keep it busy.
    for (const point of this.mounts()) spawnSync('umount', ['-l', point]);
    spawnSync('umount', ['-l', this.path]);
    this.#scratch[Symbol.dispose]();
  }
}
