import { strictEqual } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AT_FDCWD,
  MNT_DETACH,
  MOVE_MOUNT_F_EMPTY_PATH,
  OPEN_TREE_CLONE,
} from '../libc/constants.ts';
import { mountSetattr } from '../libc/mount-setattr.ts';
import { moveMount } from '../libc/move-mount.ts';
import { openTree } from '../libc/open-tree.ts';
import { OwnedFd } from '../owned-fd.ts';
import { umount2 } from '../libc/umount2.ts';
import { pidfdInfo } from '../pidfd/pidfd-info.ts';
import { pidfdOpen } from '../pidfd/pidfd-open.ts';
import { probePidfd } from '../pidfd/probe-pidfd.ts';
import { countOpenFds } from '../testing/open-fds.ts';
import { isPin } from './is-pin.ts';
import { isSelfBind, mountAt, parseMountInfo } from './mount-info.ts';
import { mountPrivately, unmountPrivately } from './mount-privately.ts';
import { openPin } from './open-pin.ts';
import { pinPidfd } from './pin-pidfd.ts';
import { unpin } from './unpin.ts';

const support = await probePidfd();

let dir: string;
let before: number;

function mountCount(): number {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8')).filter(({ mountPoint }) =>
    mountPoint.startsWith(dir),
  ).length;
}

describe.skipIf(!support.pins)('pins (need Linux 6.15 and CAP_SYS_ADMIN)', () => {
  beforeEach(() => {
    before = countOpenFds();
    dir = mkdtempSync(join(tmpdir(), 'pin test '));
    mountPrivately(dir);
  });

  afterEach(() => {
    strictEqual(unmountPrivately(dir), true);
    strictEqual(mountCount(), 0);
    rmSync(dir, { recursive: true });
    strictEqual(countOpenFds(), before);
  });

  it('openPin reads the status of a process that nobody holds any more', async () => {
    const path = join(dir, 'pidfd');
    const child = spawn('/bin/sh', ['-c', 'exit 9'], { stdio: 'ignore' });
    {
      using pidfd = pidfdOpen(child.pid!);
      pinPidfd(pidfd, path);
    }
    await once(child, 'exit');
    expect(isPin(path)).toBe(true);
    {
      using pinned = openPin(path);
      expect(pidfdInfo(pinned!).exit?.code).toBe(9);
    }
    unpin(path);
    expect([isPin(path), existsSync(path)]).toEqual([false, false]);
  });

  it('pinPidfd takes an empty file that is there, and nothing else', () => {
    using self = pidfdOpen(process.pid);
    const path = join(dir, 'there');
    writeFileSync(path, '');
    pinPidfd(self, path);
    expect(() => pinPidfd(self, path)).toThrow(/it is a pin already/);
    unpin(path);
    writeFileSync(path, 'x');
    expect(() => pinPidfd(self, path)).toThrow(/it has 1 bytes/);
    expect(() => pinPidfd(self, dir)).toThrow(/it is not a regular file/);
    unpin(path);
  });

  it('pinPidfd leaves no file when it fails', () => {
    const path = join(dir, 'failed');
    expect(() => pinPidfd(1_000_000, path)).toThrow(/open_tree fd 1000000: EBADF/);
    expect(existsSync(path)).toBe(false);
  });

  it('openPin gives undefined for an ordinary file and for nothing', () => {
    const path = join(dir, 'file');
    expect(openPin(path)).toBeUndefined();
    writeFileSync(path, '');
    expect(openPin(path)).toBeUndefined();
    expect(openPin(join(path, 'below'))).toBeUndefined();
  });

  it('unpin can be repeated from every half state', () => {
    using self = pidfdOpen(process.pid);
    const path = join(dir, 'half');
    unpin(path);
    writeFileSync(path, '');
    unpin(path);
    expect(existsSync(path)).toBe(false);
    pinPidfd(self, path);
    umount2(path, MNT_DETACH);
    unpin(path);
    expect(existsSync(path)).toBe(false);
  });

  it('unpin works while the pin is open, and the opened pidfd stays good', () => {
    using self = pidfdOpen(process.pid);
    const path = join(dir, 'open');
    pinPidfd(self, path);
    using opened = openPin(path);
    unpin(path);
    expect(pidfdInfo(opened!).pid).toBe(process.pid);
  });

  it('mountPrivately is done once, and unmountPrivately refuses while a pin is in it', () => {
    mountPrivately(dir);
    expect(mountCount()).toBe(1);
    const mounts = parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'));
    expect(mountAt(mounts, dir)?.shared).toBe(false);
    using self = pidfdOpen(process.pid);
    pinPidfd(self, join(dir, 'pin'));
    expect(unmountPrivately(dir)).toBe(false);
    unpin(join(dir, 'pin'));
    expect(unmountPrivately(dir)).toBe(true);
    expect(unmountPrivately(dir)).toBe(true);
  });
});

describe.skipIf(!support.pins)('mountPrivately (needs CAP_SYS_ADMIN)', () => {
  it("mountPrivately covers somebody else's shared mount and leaves it shared", () => {
    dir = mkdtempSync(join(tmpdir(), 'shared-'));
    const MS_SHARED = 0x100000;
    mountPrivately(dir);
    // Bound once more, so that what is covered is not the directory's own mount of its parent's.
    const inner = join(dir, 'inner');
    const other = join(dir, 'other');
    mkdirSync(inner);
    mkdirSync(other);
    {
      using tree = new OwnedFd(openTree(AT_FDCWD, other, OPEN_TREE_CLONE));
      moveMount(tree.fd, '', AT_FDCWD, inner, MOVE_MOUNT_F_EMPTY_PATH);
    }
    mountSetattr(AT_FDCWD, inner, 0, { propagation: MS_SHARED });
    mountPrivately(inner);
    expect(sharing(inner)).toEqual([true, false]);
    expect(unmountPrivately(inner)).toBe(true);
    expect(sharing(inner)).toEqual([true]);
    umount2(inner);
    expect(unmountPrivately(dir)).toBe(true);
    rmSync(dir, { recursive: true });
  });
});

function sharing(path: string): boolean[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'))
    .filter(({ mountPoint }) => mountPoint === path)
    .map(({ shared }) => shared);
}

describe('mount-info', () => {
  const text = [
    '21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
    '30 21 8:1 /var/my\\040pins /var/my\\040pins rw - ext4 /dev/sda1 rw',
    '31 21 0:40 / /run rw,nosuid shared:5 master:2 - tmpfs tmpfs rw',
    '32 31 0:40 /a /run/a rw master:9 - tmpfs tmpfs rw',
    '33 31 0:40 /b /run/c rw - tmpfs tmpfs rw',
    '',
  ].join('\n');
  const mounts = parseMountInfo(text);

  it('parseMountInfo reads escapes and propagation', () => {
    expect(mounts).toHaveLength(5);
    expect(mounts[1]).toEqual({
      id: 30,
      parentId: 21,
      device: '8:1',
      root: '/var/my pins',
      mountPoint: '/var/my pins',
      shared: false,
    });
    expect(mounts.map(({ shared }) => shared)).toEqual([true, false, true, false, false]);
  });

  it('isSelfBind is true only for a directory bound onto itself', () => {
    expect(mounts.map((mount) => isSelfBind(mounts, mount))).toEqual([
      false,
      true,
      false,
      true,
      false,
    ]);
  });

  it('mountAt finds the last mount at a place', () => {
    expect(mountAt(mounts, '/run/a')?.id).toBe(32);
    expect(mountAt([...mounts, { ...mounts[0]!, id: 99 }], '/')?.id).toBe(99);
    expect(mountAt(mounts, '/nowhere')).toBeUndefined();
  });
});
