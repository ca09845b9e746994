import { notStrictEqual, strictEqual } from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChildFds, takeDescriptors } from './child-fds.ts';

/** A table of open descriptors: number → what it is, with its close-on-exec flag. */
class Table {
  readonly open = new Map<number, { what: string; closeOnExec: boolean }>();

  dupAbove(fd: number, least: number): number {
    let free = least;
    while (this.open.has(free)) free++;
    this.open.set(free, { what: this.open.get(fd)!.what, closeOnExec: true });
    return free;
  }

  dup3(oldfd: number, newfd: number, flags: number): void {
    // dup3(2) fails where dup2(2) would do nothing, and leave close-on-exec as it was.
    notStrictEqual(oldfd, newfd);
    this.open.set(newfd, { what: this.open.get(oldfd)!.what, closeOnExec: flags !== 0 });
  }

  closeRange(first: number, flags: number): void {
    strictEqual(flags, 0);
    for (const fd of this.open.keys()) if (fd >= first) this.open.delete(fd);
  }
}

describe('takeDescriptors', () => {
  it('takeDescriptors puts each on its number and closes every other, wherever they were', () => {
    const numbers = fc.uniqueArray(fc.integer({ min: 0, max: 140 }), {
      minLength: 12,
      maxLength: 100,
    });
    const counts = fc.nat({ max: 3 });
    fc.assert(
      fc.property(numbers, fc.boolean(), counts, counts, (open, withConsole, more, joined) => {
        const table = new Table();
        for (const fd of open) table.open.set(fd, { what: `${fd}`, closeOnExec: true });
        const [stdin, stdout, stderr, init, sync, console, ...rest] = open as [
          number,
          ...number[],
        ] & { length: 12 };
        const preserved = rest.slice(0, more);
        const joins = rest.slice(more, more + joined);
        const fds: ChildFds = {
          stdin,
          stdout: stdout!,
          stderr: stderr!,
          init: init!,
          sync: sync!,
          ...(withConsole ? { console: console! } : {}),
          preserved,
          joins,
        };
        const own = takeDescriptors(table, fds);
        const wanted = [
          stdin,
          stdout,
          stderr,
          ...preserved,
          init,
          sync,
          ...(withConsole ? [console] : []),
          ...joins,
        ];
        expect([...table.open].toSorted(([a], [b]) => a - b)).toEqual(
          wanted.map((fd, target) => [target, { what: String(fd), closeOnExec: target > 2 }]),
        );
        const what = (fd: number): string | undefined => table.open.get(fd)?.what;
        expect(own.preserved).toBe(more);
        expect(what(own.init)).toBe(String(init));
        expect(what(own.sync)).toBe(String(sync));
        expect(own.console === undefined ? undefined : what(own.console)).toBe(
          withConsole ? String(console) : undefined,
        );
        expect(own.joins.map((fd) => what(fd))).toEqual(joins.map(String));
      }),
    );
  });

  it('takeDescriptors can give one descriptor to several streams', () => {
    const table = new Table();
    for (const fd of [0, 3, 4]) table.open.set(fd, { what: `${fd}`, closeOnExec: true });
    takeDescriptors(table, { stdin: 0, stdout: 0, stderr: 0, init: 4, sync: 3 });
    expect([0, 1, 2, 3, 4].map((fd) => table.open.get(fd)?.what)).toEqual([
      '0',
      '0',
      '0',
      '4',
      '3',
    ]);
  });
});
