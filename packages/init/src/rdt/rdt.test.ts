import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { validateSpec } from '../config/load-bundle.ts';
import type { OciIntelRdt } from '../config/spec/attributes.ts';
import { stockSpec } from '../config/stock-spec.ts';
import { UnsupportedConfigError } from '../errors.ts';
import { planLaunch } from '../plan/plan-launch.ts';
import { planRdt, type RdtPlan } from './plan-rdt.ts';
import { createRdtGroups, enterRdtGroups } from './rdt-group.ts';
import { hostResctrl, type Resctrl, resctrlMountpoint } from './resctrl.ts';
import { holdsSchema } from './schemata.ts';

const l3 = 'L3:0=7f0;1=1f';
const mb = 'MB:0=20;1=70';
const l2 = 'L2:0=f';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'resctrl-'));
  for (const name of ['info/L3', 'info/MB', 'info/L3_MON', 'mon_groups', 'guaranteed']) {
    mkdirSync(join(root, name), { recursive: true });
  }
  writeFileSync(join(root, 'schemata'), '');
  writeFileSync(join(root, 'guaranteed/schemata'), `    L3:0=7f0;1=01f\n    MB:0= 20;1= 70\n`);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const fake = (): Resctrl => ({ root: () => root, has: (at, name) => hostResctrl.has(at, name) });
const planned = (rdt: OciIntelRdt): RdtPlan => planRdt(rdt, 'demo', fake())!;
const textOf = (path: string): string => readFileSync(join(root, path), 'utf8');

describe('resctrlMountpoint', () => {
  it('resctrlMountpoint finds it wherever it is', () => {
    const line = (fstype: string, at: string): string =>
      `30 20 0:27 / ${at} rw,relatime shared:9 - ${fstype} ${fstype} rw`;
    const text = [line('sysfs', '/sys'), line('resctrl', '/mnt/my\\040rdt'), ''].join('\n');
    expect(resctrlMountpoint(text)).toBe('/mnt/my rdt');
    expect(resctrlMountpoint(line('sysfs', '/sys/fs/resctrl'))).toBeUndefined();
  });
});

describe('planRdt', () => {
  it('planRdt does not look at the host unless the field is there; an empty one counts', () => {
    const unasked: Resctrl = {
      root: () => expect.unreachable(),
      has: () => expect.unreachable(),
    };
    expect(planRdt(undefined, 'demo', unasked)).toBeUndefined();
    expect(planRdt(null, 'demo', unasked)).toBeUndefined();
    expect(planned({})).toMatchObject({ group: join(root, 'demo'), kind: 'own', schemata: [] });
  });

  it('planRdt refuses by name where resctrl is not mounted', () => {
    const spec = stockSpec();
    spec.linux!.intelRdt = {};
    const attempt = (): unknown =>
      planLaunch({
        id: 'demo',
        spec,
        bundle: '/',
        hierarchies: [{ version: 2, controllers: '', mountpoint: '/c', root: '/', ownPath: '/' }],
        resctrl: { root: () => undefined, has: () => false },
      });
    expect(attempt).toThrow(UnsupportedConfigError);
    expect(attempt).toThrow(
      expect.objectContaining({
        field: 'linux.intelRdt',
        hint: expect.stringContaining('mount -t resctrl'),
      }),
    );
  });

  it.each<[field: string, missing: string, rdt: OciIntelRdt]>([
    ['l3CacheSchema', 'L3', { l3CacheSchema: l3 }],
    ['memBwSchema', 'MB', { memBwSchema: mb }],
    ['enableMonitoring', 'L3_MON', { enableMonitoring: true }],
  ])('planRdt refuses %s on a machine without %s', (field, missing, rdt) => {
    rmSync(join(root, 'info', missing), { recursive: true });
    expect(() => planned(rdt)).toThrow(
      expect.objectContaining({ field: `linux.intelRdt.${field}` }),
    );
  });

  it('planRdt refuses an id that is a name of resctrl’s own', () => {
    expect(() => planRdt({}, 'info', fake())).toThrow(/directory info of its own/);
    expect(planRdt({ closID: 'x' }, 'info', fake())?.group).toBe(join(root, 'x'));
  });

  it.each<[rdt: OciIntelRdt, kind: RdtPlan['kind'], group: string]>([
    [{ closID: 'x' }, 'existing', 'x'],
    [{ closID: 'x', schemata: [l2] }, 'named', 'x'],
    [{ closID: '/' }, 'existing', ''],
    [{ closID: '/', memBwSchema: mb }, 'existing', ''],
    [{ l3CacheSchema: l3 }, 'own', 'demo'],
  ])('planRdt of %o has a group that is %s', (rdt, kind, group) => {
    expect(planned(rdt)).toMatchObject({ kind, group: group === '' ? root : join(root, group) });
  });

  it('planRdt keeps the order that the specification gives: cache, bandwidth, the rest', () => {
    const rdt = { schemata: [l2, ''], memBwSchema: mb, l3CacheSchema: l3 };
    expect(planned(rdt).schemata).toEqual([l3, mb, l2]);
  });

  it.each<OciIntelRdt>([
    { closID: '..' },
    { closID: '.' },
    { closID: 'a/b' },
    { closID: 'info' },
    { closID: 'mon_groups' },
    { closID: 'a\n' },
    { closID: 'a\0' },
    { memBwSchema: 'L3:0=f' },
    { l3CacheSchema: 'L3:0=f\nMB:0=1' },
    { schemata: ['L2:0=f\n'] },
  ])('validateSpec refuses %o', (rdt) => {
    const spec = stockSpec();
    spec.linux!.intelRdt = rdt;
    expect(() => validateSpec(spec)).toThrow(/linux\.intelRdt\./);
  });
});

describe('holdsSchema', () => {
  it.each([
    ['    L3:0=7f0;1=01f\n', l3, true],
    ['MB:0= 20;1= 70\nL3:1=1F;0=7F0\n', l3, true],
    ['L3:0=7f0;1=1f;2=ff\n', l3, true],
    ['L3:0=7f0;1=1e\n', l3, false],
    ['L3:0=7f0\n', l3, false],
    ['L2:0=7f0;1=1f\n', l3, false],
    ['', mb, false],
    ['MB:0=000;1=0\n', 'MB:0=0;1=0', true],
  ])('holdsSchema of %j and %s is %s', (schemata, line, holds) => {
    expect(holdsSchema(schemata, line)).toBe(holds);
  });
});

describe('createRdtGroups', () => {
  it('createRdtGroups makes a group of the container’s own, which is removed with it', async () => {
    const plan = planned({ l3CacheSchema: l3, memBwSchema: mb, schemata: [l2] });
    expect(await createRdtGroups(plan)).toEqual([join(root, 'demo')]);
    expect(textOf('demo/schemata')).toBe(`${l3}\n${mb}\n${l2}\n`);
    await enterRdtGroups(plan, 4711);
    expect(textOf('demo/tasks')).toBe('4711');
  });

  it('createRdtGroups leaves schemata alone where none are given', async () => {
    await createRdtGroups(planned({}));
    expect(readdirSync(join(root, 'demo'))).toEqual([]);
  });

  it('createRdtGroups uses a group that is there, and never removes it', async () => {
    const plan = planned({ closID: 'guaranteed' });
    expect(await createRdtGroups(plan)).toEqual([]);
    await enterRdtGroups(plan, 1);
    expect(textOf('guaranteed/tasks')).toBe('1');
    expect(textOf('guaranteed/schemata')).toContain('01f');
  });

  it('createRdtGroups fails for a named group that is not there', async () => {
    await expect(createRdtGroups(planned({ closID: 'nobody' }))).rejects.toMatchObject({
      step: 'intel rdt',
      errnoCode: 'ENOENT',
      hint: expect.stringContaining('must name a group that is there'),
    });
    expect(readdirSync(root)).not.toContain('nobody');
  });

  it('createRdtGroups makes a named group with schemata, and leaves it', async () => {
    expect(await createRdtGroups(planned({ closID: 'fresh', schemata: [l2] }))).toEqual([]);
    expect(textOf('fresh/schemata')).toBe(`${l2}\n`);
  });

  it('createRdtGroups refuses a group whose schemata differ from what is asked', async () => {
    const same = planned({ closID: 'guaranteed', l3CacheSchema: l3, memBwSchema: mb });
    expect(await createRdtGroups(same)).toEqual([]);
    writeFileSync(join(root, 'guaranteed/schemata'), 'L3:0=1;1=1\n');
    await expect(createRdtGroups(same)).rejects.toMatchObject({
      step: 'intel rdt',
      message: expect.stringContaining(`its schemata are not ${l3}`),
    });
  });

  it('createRdtGroups makes a monitoring group, and removes what it made when that fails', async () => {
    const plan = planned({ closID: '/', enableMonitoring: true });
    expect(await createRdtGroups(plan)).toEqual([join(root, 'mon_groups/demo')]);
    await enterRdtGroups(plan, 12);
    expect([textOf('tasks'), textOf('mon_groups/demo/tasks')]).toEqual(['12', '12']);
    // No directory mon_groups in a fake group: the last step fails.
    writeFileSync(join(root, 'info/last_cmd_status'), 'ok\n');
    await expect(createRdtGroups(planned({ enableMonitoring: true }))).rejects.toMatchObject({
      step: 'intel rdt',
    });
    expect(readdirSync(root)).not.toContain('demo');
  });
});
