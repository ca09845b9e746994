import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OciSpec } from '../config/oci-spec.ts';
import type { OciIdMapping } from '../config/spec/namespaces.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import { planNamespaces } from './namespaces.ts';
import { canSetGroups, formatIdMap, planIdMaps, type PlannedIdMaps } from './user-namespace.ts';

const root = { uid: 0, gid: 0 };
const user = { uid: 1000, gid: 1000 };
const own = (hostID: number): OciIdMapping[] => [{ containerID: 0, hostID, size: 1 }];
const range: OciIdMapping[] = [
  { containerID: 0, hostID: 1000, size: 1 },
  { containerID: 1, hostID: 100_000, size: 65_536 },
];

function plan(
  uidMappings: OciIdMapping[],
  gidMappings: OciIdMapping[],
  launcher = root,
  change: (spec: OciSpec) => void = () => {},
): PlannedIdMaps | undefined {
  const spec = stockSpec();
  spec.linux!.namespaces!.push({ type: 'user' });
  spec.linux!.uidMappings = uidMappings;
  spec.linux!.gidMappings = gidMappings;
  change(spec);
  return planIdMaps(spec, planNamespaces(spec), launcher);
}

describe('planIdMaps', () => {
  it.each([
    ['the launcher, who may', range, root, 'privileged'],
    ['the launcher, its own id', own(1000), user, 'own'],
    ['the helpers, a range', range, user, 'helpers'],
    ['the helpers, the id of another', own(1001), user, 'helpers'],
  ])('planIdMaps lets the maps be written by %s', (_, mappings, launcher, writtenBy) => {
    expect(plan(mappings, mappings, launcher)).toEqual({
      uidMappings: mappings,
      gidMappings: mappings,
      writtenBy,
    });
  });

  it('planIdMaps makes none where there is no new user namespace', () => {
    const withoutNew = (path?: string): unknown =>
      plan(range, range, root, (spec) => {
        spec.linux!.namespaces!.pop();
        if (path !== undefined) spec.linux!.namespaces!.push({ type: 'user', path });
      });
    expect(withoutNew('/proc/1/ns/user')).toBeUndefined();
    expect(() => withoutNew()).toThrow(/linux\.uidMappings: there is no user namespace/);
  });

  it.each<[string, OciIdMapping[], RegExp]>([
    ['no root', [{ containerID: 1, hostID: 1, size: 1 }], /must map the id 0/],
    ['nothing', [], /must map the id 0/],
    [
      'ids that are mapped twice',
      [
        { containerID: 0, hostID: 0, size: 10 },
        { containerID: 9, hostID: 100, size: 1 },
      ],
      /\[0\]: the range of containerID overlaps/,
    ],
    [
      'host ids that are mapped twice',
      [
        { containerID: 0, hostID: 5, size: 1 },
        { containerID: 1, hostID: 0, size: 6 },
      ],
      /\[1\]: the range of hostID overlaps/,
    ],
    [
      'ids beyond 32 bits',
      [{ containerID: 0, hostID: 0xffff_fff0, size: 0x10 }],
      /hostID leaves 32 bits/,
    ],
  ])('planIdMaps refuses %s', (_, mappings, message) => {
    for (const [uid, gid] of [
      [mappings, own(0)],
      [own(0), mappings],
    ] as const) {
      expect(() => plan(uid, gid)).toThrow(InvalidConfigError);
      expect(() => plan(uid, gid)).toThrow(message);
    }
  });
});

describe('canSetGroups', () => {
  type Launcher = Parameters<typeof canSetGroups>[2];

  function ask(
    gids: OciIdMapping[] | undefined,
    launcher: Launcher,
    groups: number[] = [],
  ): boolean {
    const spec = stockSpec();
    spec.process.user = { additionalGids: groups };
    const idMaps =
      gids === undefined
        ? undefined
        : plan(launcher.uid === 0 ? own(0) : own(launcher.uid), gids, launcher);
    return canSetGroups(spec, idMaps, launcher);
  }

  it.each<[string, boolean, OciIdMapping[] | undefined, Launcher]>([
    ['without a user namespace', true, undefined, root],
    ['where root maps any group', true, own(0), root],
    ['where the helpers map a range', true, range, user],
    ['where only the own group is mapped', false, own(1000), user],
    ['where the helpers map another group alone', true, own(1001), user],
    ['in a namespace that forbids it', false, undefined, { ...root, canSetGroups: false }],
    ['below a namespace that forbids it', false, own(0), { ...root, canSetGroups: false }],
  ])('canSetGroups %s is %s', (_, can, gids, launcher) => {
    expect(ask(gids, launcher)).toBe(can);
    const withGroups = (): string => {
      try {
        return String(ask(gids, launcher, [5]));
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(withGroups()).toMatch(can ? /^true$/ : /^process\.user\.additionalGids: /);
  });

  it('canSetGroups knows that newgidmap forbids it where it maps the own group alone', () => {
    const spec = stockSpec();
    const idMaps = plan(range, own(1000), user);
    expect(idMaps?.writtenBy).toBe('helpers');
    expect(canSetGroups(spec, idMaps, user)).toBe(false);
  });
});

describe('formatIdMap', () => {
  it('formatIdMap writes the line of each mapping, as the kernel reads it', () => {
    const mapping = fc.record({ containerID: fc.nat(), hostID: fc.nat(), size: fc.nat() });
    fc.assert(
      fc.property(fc.array(mapping), (mappings) => {
        const lines = formatIdMap(mappings).split('\n');
        expect(lines.pop()).toBe('');
        expect(
          lines.map((line) => {
            const [containerID, hostID, size] = line.split(' ').map(Number);
            return { containerID, hostID, size };
          }),
        ).toEqual(mappings);
      }),
    );
  });
});
