import { describe, expect, it } from 'vitest';
import { honoured, refused, type SpecField, type Standing } from '../config/fields/spec-field.ts';
import { specFields } from '../config/fields/spec-fields.ts';
import { validateSpec } from '../config/load-bundle.ts';
import { unsupportedFields } from '../config/refuse-unsupported.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { planCapabilities } from '../plan/capabilities.ts';
import { parseMountOptions } from '../plan/mount-options.ts';
import { features, featuresOf } from './features.ts';
import { ociFeaturesSchema } from './oci-features-schema.ts';

const all = (standing: Standing): SpecField[] =>
  specFields().map(({ field, value, since }) => ({ field, value, since, ...standing }));

/** What of the structure says yes, by its path. */
function promises(value: unknown, path = ''): string[] {
  if (value === true || typeof value === 'string') return [`${path}=${String(value)}`];
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.map((item) => `${path}=${String(item)}`);
  return Object.entries(value).flatMap(([name, inner]) => promises(inner, `${path}.${name}`));
}

describe('features', () => {
  it('features has the form that the specification gives it', () => {
    expect(ociFeaturesSchema.parse(features())).toEqual(features());
    expect(ociFeaturesSchema.safeParse({ ...features(), more: true }).success).toBe(false);
    expect(ociFeaturesSchema.safeParse({ ...features(), ociVersionMax: undefined }).success).toBe(
      false,
    );
  });

  it('features promises nothing where nothing is honoured', () => {
    expect(promises(featuresOf(all(refused('x'))))).toEqual([
      '.ociVersionMin=1.0.0',
      '.ociVersionMax=1.3.0',
    ]);
  });

  it('features promises everything where everything is honoured', () => {
    const everything = featuresOf(all(honoured('x', 'y')));
    expect(everything.hooks).toHaveLength(6);
    expect(everything.linux.namespaces).toHaveLength(8);
    expect(Object.values(everything.linux.cgroup)).toEqual([true, true, true, true, true]);
    const { linux } = everything;
    for (const { enabled } of [
      linux.seccomp,
      linux.apparmor,
      linux.selinux,
      linux.intelRdt,
      linux.netDevices,
      linux.mountExtensions.idmap,
    ]) {
      expect(enabled).toBe(true);
    }
    expect(linux.intelRdt).toMatchObject({ schemata: true, monitoring: true });
    expect(linux.memoryPolicy.modes).toHaveLength(7);
  });

  it.each(specFields().map(({ field, value }): [string, string | undefined] => [field, value]))(
    'features promises no more when %s %s is refused as well',
    (field, value) => {
      const fewer = specFields().map((row): SpecField =>
        row.field === field && row.value === value
          ? { field, value, since: row.since, ...refused('x') }
          : row,
      );
      const before = promises(features());
      const after = promises(featuresOf(fewer));
      expect(after.filter((promise) => !before.includes(promise))).toEqual([]);
    },
  );

  it('features names only what a launch takes', () => {
    const { ociVersionMin, ociVersionMax, mountOptions, linux } = features();
    for (const ociVersion of [ociVersionMin, ociVersionMax]) {
      expect(validateSpec({ ...stockSpec(), ociVersion }).ociVersion).toBe(ociVersion);
    }
    for (const option of mountOptions) expect(parseMountOptions([option]).parameters).toEqual([]);
    expect(planCapabilities({ bounding: linux.capabilities }).bounding).toHaveLength(
      linux.capabilities.length,
    );
    for (const type of linux.namespaces) {
      const spec = stockSpec();
      spec.linux!.namespaces = [{ type }];
      expect(unsupportedFields(validateSpec(spec))).toEqual([]);
    }
  });

  it('features names every mount option of the specification that a launch knows', () => {
    // config.md, "Linux mount options".
    const specified =
      'async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime relatime remount rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave strictatime suid symfollow sync tmpcopyup unbindable idmap ridmap';
    const { mountOptions } = features();
    const unnamed = specified
      .split(' ')
      .filter((option) => parseMountOptions([option]).parameters.length === 0)
      .filter((option) => !mountOptions.includes(option));
    expect(unnamed).toEqual([]);
  });
});
