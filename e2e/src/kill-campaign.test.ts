// Programs by the thousand, and whoever launches, watches or deletes them killed at random instants.
//
// PILOTLIGHT_CAMPAIGN_SEED=… repeats a plan; PILOTLIGHT_CAMPAIGN_PROCESSES=20000 makes it that many. Both also for
// `node e2e/src/campaign/main.ts`, which prints the table of what was seen.
import { existsSync } from 'node:fs';
import { probePidfd } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import { DEFAULT_PROCESSES, runCampaign } from './campaign/campaign.ts';
import { campaignOptions } from './campaign/options.ts';
import { missing } from './cli-fixture.ts';

const options = campaignOptions(process.env);
const processes = options.processes ?? DEFAULT_PROCESSES;
const isRoot = process.geteuid?.() === 0;
const hasPins = isRoot && (await probePidfd()).pins;
const hasShell = existsSync('/bin/sh');

describe.skipIf(!isRoot || !hasPins || !hasShell)(
  `a kill campaign${missing({ root: isRoot, 'Linux 6.15': hasPins, '/bin/sh': hasShell })}`,
  () => {
    it(
      `with ${processes} processes loses none, calls none wrong, and leaves nothing`,
      { timeout: 120_000 + processes * 400 },
      async () => {
        const { complaints, table, summary } = await runCampaign({ ...options, processes });
        process.stdout.write(`${complaints.length === 0 ? summary : table}\n`);
        expect(complaints).toEqual([]);
      },
    );
  },
);
