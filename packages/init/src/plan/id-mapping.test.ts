import { describe, expect, it } from 'vitest';
import type { OciMount } from '../config/oci-spec.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import { planIdMapping } from './id-mapping.ts';
import { parseMountOptions } from './mount-options.ts';

const maps = [{ containerID: 0, hostID: 1000, size: 10 }];
const planned = [{ container_id: 0, host_id: 1000, size: 10 }];

function plan(mount: Partial<OciMount>, user?: { path?: string }): unknown {
  const spec = stockSpec();
  if (user !== undefined) {
    spec.linux!.namespaces!.push({ type: 'user', ...user });
    spec.linux!.uidMappings = [{ containerID: 0, hostID: 5, size: 1 }];
    spec.linux!.gidMappings = [{ containerID: 0, hostID: 6, size: 1 }];
  }
  const options = parseMountOptions(mount.options ?? []);
  return planIdMapping({ destination: '/a', ...mount }, 'mounts[3]', options, spec);
}

describe('planIdMapping', () => {
  it('planIdMapping maps nothing that does not ask for it', () => {
    expect(plan({ options: ['bind'] })).toBeUndefined();
    expect(plan({ options: ['bind'] }, {})).toBeUndefined();
  });

  it.each([
    ['none', [], false],
    ['idmap', ['idmap'], false],
    ['ridmap', ['ridmap'], true],
  ])('planIdMapping takes the maps of the mount, with the option %s', (_, options, recursive) => {
    expect(plan({ uidMappings: maps, gidMappings: maps, options })).toEqual({
      recursive,
      userns_path: '',
      uid_mappings: planned,
      gid_mappings: planned,
    });
  });

  it('planIdMapping takes the maps of the container, or its namespace', () => {
    expect(plan({ options: ['ridmap'] }, {})).toEqual({
      recursive: true,
      userns_path: '',
      uid_mappings: [{ container_id: 0, host_id: 5, size: 1 }],
      gid_mappings: [{ container_id: 0, host_id: 6, size: 1 }],
    });
    expect(plan({ options: ['idmap'] }, { path: '/proc/1/ns/user' })).toEqual({
      recursive: false,
      userns_path: '/proc/1/ns/user',
      uid_mappings: [],
      gid_mappings: [],
    });
  });

  it.each<[mount: Partial<OciMount>, field: string]>([
    [{ uidMappings: maps }, 'gidMappings'],
    [{ gidMappings: maps }, 'uidMappings'],
    [{ options: ['idmap'] }, 'options'],
  ])('planIdMapping refuses %j and names its %s', (mount, field) => {
    expect(() => plan(mount)).toThrow(InvalidConfigError);
    expect(() => plan(mount)).toThrow(new RegExp(`mounts\\[3\\]\\.${field}: `));
  });
});
