import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
  MS_PRIVATE,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
  parseMountOptions,
} from './mount-options.ts';

describe('parseMountOptions', () => {
  it.each<[option: string, set: number, clear: number]>([
    ['ro', MOUNT_ATTR_RDONLY, 0],
    ['rw', 0, MOUNT_ATTR_RDONLY],
    ['nosuid', MOUNT_ATTR_NOSUID, 0],
    ['suid', 0, MOUNT_ATTR_NOSUID],
    ['nodev', MOUNT_ATTR_NODEV, 0],
    ['dev', 0, MOUNT_ATTR_NODEV],
    ['noexec', MOUNT_ATTR_NOEXEC, 0],
    ['exec', 0, MOUNT_ATTR_NOEXEC],
    ['nodiratime', MOUNT_ATTR_NODIRATIME, 0],
    ['diratime', 0, MOUNT_ATTR_NODIRATIME],
    ['nosymfollow', MOUNT_ATTR_NOSYMFOLLOW, 0],
    ['symfollow', 0, MOUNT_ATTR_NOSYMFOLLOW],
    // The whole access time field is cleared, whichever of its values is wanted.
    ['noatime', MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME],
    ['atime', 0, MOUNT_ATTR__ATIME],
    ['strictatime', MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME],
    ['nostrictatime', 0, MOUNT_ATTR__ATIME],
    ['relatime', 0, MOUNT_ATTR__ATIME],
    ['norelatime', 0, 0],
  ])('parseMountOptions turns %s into an attribute', (option, set, clear) => {
    expect(parseMountOptions([option]).attributes).toEqual({ set, clear });
    expect(parseMountOptions([`r${option}`]).recursiveAttributes).toEqual({ set, clear });
    expect(parseMountOptions([`r${option}`]).attributes).toEqual({ set: 0, clear: 0 });
  });

  it.each<[option: string, propagation: number, recursive: boolean]>([
    ['private', MS_PRIVATE, false],
    ['rprivate', MS_PRIVATE, true],
    ['slave', MS_SLAVE, false],
    ['rslave', MS_SLAVE, true],
    ['shared', MS_SHARED, false],
    ['rshared', MS_SHARED, true],
    ['unbindable', MS_UNBINDABLE, false],
    ['runbindable', MS_UNBINDABLE, true],
  ])('parseMountOptions turns %s into a propagation', (option, propagation, recursive) => {
    expect(parseMountOptions([option]).propagation).toEqual([{ propagation, recursive }]);
  });

  it.each<[options: string[], set: number, clear: number]>([
    [['ro', 'rw'], 0, MOUNT_ATTR_RDONLY],
    [['rw', 'ro'], MOUNT_ATTR_RDONLY, 0],
    [['noatime', 'strictatime'], MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME],
    [['strictatime', 'noatime'], MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME],
    [['noatime', 'relatime'], 0, MOUNT_ATTR__ATIME],
    [['noatime', 'atime'], 0, MOUNT_ATTR__ATIME],
    [['nodiratime', 'noatime'], MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME],
  ])('parseMountOptions lets the later of %j win', (options, set, clear) => {
    expect(parseMountOptions(options).attributes).toEqual({ set, clear });
  });

  it('parseMountOptions tells a plain bind, a recursive one and none apart', () => {
    expect(parseMountOptions(['ro']).bind).toBe('none');
    expect(parseMountOptions(['bind', 'ro']).bind).toBe('bind');
    expect(parseMountOptions(['rbind', 'ro']).bind).toBe('rbind');
  });

  it('parseMountOptions keeps what the file system itself understands', () => {
    const parsed = parseMountOptions([
      'sync',
      'dirsync',
      'async',
      'mode=755',
      'a=b=c',
      'newinstance',
      'defaults',
    ]);
    expect(parsed.superblockFlags).toEqual(['dirsync']);
    expect(parsed.parameters).toEqual([
      ['mode', '755'],
      ['a', 'b=c'],
      ['newinstance', null],
    ]);
  });

  it.each<[option: string, parameters: [string, string | null][]]>([
    [
      'size=64k,mode=700',
      [
        ['size', '64k'],
        ['mode', '700'],
      ],
    ],
    ['lowerdir=/a\\,b:/c', [['lowerdir', '/a,b:/c']]],
    [
      'context="u:r:t:s0:c1,c2",size=1',
      [
        ['context', 'u:r:t:s0:c1,c2'],
        ['size', '1'],
      ],
    ],
    [
      'a,,b',
      [
        ['a', null],
        ['b', null],
      ],
    ],
    [
      'é=ü,x',
      [
        ['é', 'ü'],
        ['x', null],
      ],
    ],
    ['', []],
  ])('parseMountOptions splits %j where mount(2) would', (option, parameters) => {
    expect(parseMountOptions([option]).parameters).toEqual(parameters);
  });

  it('parseMountOptions knows what is neither an attribute nor a parameter', () => {
    expect(parseMountOptions(['remount', 'tmpcopyup', 'idmap'])).toMatchObject({
      remount: true,
      copyUp: true,
      idMap: 'idmap',
      parameters: [],
    });
    expect(parseMountOptions(['rbind', 'ridmap'])).toMatchObject({
      bind: 'rbind',
      idMap: 'ridmap',
    });
  });

  it.each(['constructor', 'rconstructor', 'toString', '__proto__', 'hasOwnProperty'])(
    'parseMountOptions takes %s for a parameter, not for a property of every object',
    (option) => {
      const parsed = parseMountOptions([option]);
      expect(parsed.parameters).toEqual([[option, null]]);
      expect(parsed.attributes).toEqual({ set: 0, clear: 0 });
    },
  );

  it('parseMountOptions never sets a bit that it does not clear when the bit belongs to the access time', () => {
    const words = ['noatime', 'atime', 'relatime', 'strictatime', 'norelatime', 'ro', 'rw', 'dev'];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...words)), (options) => {
        const { set, clear } = parseMountOptions(options).attributes;
        // mount_setattr(2): EINVAL when an access time is set and the field is not cleared whole.
        expect(
          (set & MOUNT_ATTR__ATIME) === 0 || (clear & MOUNT_ATTR__ATIME) === MOUNT_ATTR__ATIME,
        ).toBe(true);
        expect(set & clear & ~MOUNT_ATTR__ATIME).toBe(0);
      }),
    );
  });
});
