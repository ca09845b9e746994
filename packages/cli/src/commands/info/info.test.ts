import { tierFacts, type StoreInfo } from '@pilotlight/process-store';
import { describe, expect, it } from 'vitest';
import { renderInfo } from './render-info.ts';
import { type Findings, storeReport } from './store-report.ts';

const info: StoreInfo = {
  root: '/run/x',
  tier: 'A',
  bestTier: 'A',
  probe: { exitInfo: true, pins: true, kernelRelease: '6.18.0' },
  here: { uid: 0, namespaces: { pid: 'pid:[1]', mnt: 'mnt:[2]' } },
  monitor: undefined,
  hasKeeper: false,
};

const monitor: NonNullable<StoreInfo['monitor']> = {
  pid: 12,
  startedAt: '2026-01-02T03:04:05.678Z',
  keeperPid: 11,
  unprotected: false,
  watching: 3,
  held: 1,
  idleMs: 10_000,
  problems: [{ key: 'odd\u001b[2J', message: 'a line\nof a file' }],
};

function findings(change: Partial<Omit<Findings, 'info'>> & { info?: Partial<StoreInfo> } = {}) {
  return {
    exists: true,
    list: { processes: [], problems: [] },
    forksHere: true,
    ...change,
    info: { ...info, ...change.info },
  };
}

describe('storeReport', () => {
  it.each([
    [{}, 'A', /can be mounted$/],
    [
      { tier: 'B', bestTier: 'B', probe: { ...info.probe, pins: false } },
      'B',
      /user 0 cannot mount it/,
    ],
    [
      {
        tier: 'C',
        bestTier: 'C',
        probe: { exitInfo: false, pins: false, kernelRelease: '5.10.1' },
      },
      'C',
      /Linux 5\.10\.1 tells nobody but the parent/,
    ],
    [{ tier: 'D', bestTier: 'B' }, 'D', /^chosen; B could be had$/],
  ] as [Partial<StoreInfo>, string, RegExp][])(
    'says of %j why the tier is %s',
    (change, tier, why) => {
      const report = storeReport(findings({ info: change }));
      expect(report.tier.chosen).toBe(tier);
      expect(report.tier.why).toMatch(why);
    },
  );

  it('tells which tiers are to be had', () => {
    const { tier } = storeReport(findings({ info: { tier: 'B', bestTier: 'B' } }));
    expect(tier.all.map(({ available }) => available)).toEqual([false, true, true, true]);
    expect(tier.all).toMatchObject(tierFacts.map((facts) => ({ ...facts })));
  });

  it('counts records by state, and unreadable ones among all', () => {
    const processes = ['running', 'stopped', 'running'].map((state, key) => ({
      state,
      key: String(key),
    }));
    const problems = [{ id: 'bad', problem: new Error('no JSON') }];
    expect(storeReport(findings({ list: { processes, problems } })).records).toEqual({
      total: 4,
      byState: { running: 2, stopped: 1 },
      problems: [{ key: 'bad', message: 'no JSON' }],
    });
  });

  it('says who forks', () => {
    expect(storeReport(findings()).launch.forks).toBe('here');
    expect(storeReport(findings({ forksHere: false })).launch.forks).toBe('zygote');
  });
});

describe('renderInfo', () => {
  const render = (change: Parameters<typeof findings>[0]): string =>
    renderInfo(storeReport(findings(change)));

  it('marks the tier of this machine, and those that are not to be had', () => {
    const text = render({ info: { tier: 'B', bestTier: 'B' } });
    expect(text).toContain('\nA pin (not to be had here)\n');
    expect(text).toContain('\nB hold (here)\n');
    expect(text).toContain('\nC parent\n');
  });

  it('says that there is no root, and that nothing runs for it', () => {
    const text = render({ exists: false });
    expect(text).toMatch(/^Root +\/run\/x \(not made yet\)$/m);
    expect(text).toMatch(/^Monitor +none runs$/m);
    expect(text).toMatch(/^Keeper +none runs$/m);
    expect(text).toMatch(/^Records +none$/m);
  });

  it('tells of monitor and keeper, and of a monitor whose keeper has died', () => {
    const both = render({ info: { monitor, hasKeeper: true } });
    expect(both).toMatch(/^Monitor +process 12 since 2026-.*, watches 3, holds 1 descriptor$/m);
    expect(both).toMatch(/^Keeper +process 11$/m);
    const alone = { ...monitor, keeperPid: null, unprotected: true };
    expect(render({ info: { monitor: alone } })).toMatch(/^Keeper +has died: /m);
    expect(render({ info: { hasKeeper: true } })).toMatch(/^Keeper +runs$/m);
  });

  it('shows what is wrong, and nothing in it commands a terminal', () => {
    const text = render({
      info: { monitor, hasKeeper: true },
      list: { processes: [], problems: [{ id: 'bad', problem: new Error('no JSON') }] },
    });
    expect(text).toMatch(/^Records +1: 1 unreadable$/m);
    expect(text).toMatch(/^PROBLEM +WHY\nbad +no JSON\nodd\\x1b\[2J +a line\n {4}of a file\n$/m);
  });
});
