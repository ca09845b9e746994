import { fstatSync } from 'node:fs';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { closeAll } from './close-all.ts';
import { fdNumber } from './fd-like.ts';
import { close } from './libc/close.ts';
import { fcntlGetfd, fcntlSetfd } from './libc/fcntl.ts';
import { pipe2 } from './libc/pipe2.ts';
import { openFd } from './open-fd.ts';
import { OwnedFd } from './owned-fd.ts';

const CLOSED = expect.objectContaining({ code: 'ERR_SCM_FD_CLOSED' });

describe('OwnedFd', () => {
  it('OwnedFd closes exactly once and refuses use afterwards', () => {
    const owned = openFd('/dev/null', 0);
    const { fd } = owned;
    owned.close();
    expect(owned.closed).toBe(true);
    expect(() => fstatSync(fd)).toThrow(/EBADF/);
    // The number may be somebody else's by now: a second close must not touch it.
    const reused = openFd('/dev/null', 0);
    owned.close();
    expect(fstatSync(reused.fd).isCharacterDevice()).toBe(true);
    reused.close();
    expect(() => owned.fd).toThrow(CLOSED);
    expect(() => owned.release()).toThrow(CLOSED);
  });

  it('OwnedFd.release hands the number over open', () => {
    const owned = openFd('/dev/null', 0);
    const fd = owned.release();
    owned.close();
    expect(fstatSync(fd).isCharacterDevice()).toBe(true);
    close(fd);
  });

  it('OwnedFd closes at the end of a using block', () => {
    let kept: OwnedFd;
    {
      using owned = openFd('/dev/null', 0);
      kept = owned;
    }
    expect(kept.closed).toBe(true);
  });

  it('OwnedFd.adopt marks an inherited descriptor close-on-exec', () => {
    const [reader, writer] = pipe2();
    fcntlSetfd(reader, 0);
    using owned = OwnedFd.adopt(reader);
    expect(fcntlGetfd(owned.fd)).toBe(1);
    close(writer);
  });

  it('OwnedFd.close reports a descriptor that somebody else closed', () => {
    const owned = openFd('/dev/null', 0);
    close(owned.fd);
    expect(() => owned.close()).toThrow(/close fd \d+: EBADF/);
  });

  it('OwnedFd runs beforeClose listeners while the number is still valid, unless taken back', () => {
    const owned = openFd('/dev/null', 0);
    const seen: number[] = [];
    owned.beforeClose(() => seen.push(owned.fd));
    owned.beforeClose(() => seen.push(-1))();
    const { fd } = owned;
    owned.close();
    expect(seen).toEqual([fd]);
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 31])('OwnedFd refuses %d as a number', (fd) => {
    expect(() => new OwnedFd(fd)).toThrow(expect.objectContaining({ code: 'ERR_SCM_INVALID_FD' }));
    expect(() => fdNumber(fd)).toThrow(expect.objectContaining({ code: 'ERR_SCM_INVALID_FD' }));
  });

  it('OwnedFd and BorrowedFd say in a console what they are', () => {
    const owned = new OwnedFd(openFd('/dev/null', 0).release(), 'null device');
    const { fd } = owned;
    expect(inspect(owned)).toBe(`OwnedFd(null device: fd ${fd})`);
    expect(inspect(owned.borrow())).toBe(`BorrowedFd(null device: fd ${fd})`);
    owned.close();
    expect(inspect(owned)).toBe('OwnedFd(null device: closed)');
  });
});

describe('BorrowedFd', () => {
  it('BorrowedFd throws once its owner closed', () => {
    const owned = openFd('/dev/null', 0);
    const borrowed = owned.borrow();
    expect(fdNumber(borrowed)).toBe(owned.fd);
    owned.close();
    expect(borrowed.closed).toBe(true);
    expect(() => borrowed.fd).toThrow(CLOSED);
    expect('close' in borrowed).toBe(false);
  });
});

describe('closeAll', () => {
  it('closeAll closes the others when one fails, and throws that failure', () => {
    const [a, b, c] = [openFd('/dev/null', 0), openFd('/dev/null', 0), openFd('/dev/null', 0)];
    close(a.fd);
    expect(() => closeAll([a, b, c])).toThrow(/EBADF/);
    expect([b.closed, c.closed]).toEqual([true, true]);
  });
});
