/** A kill campaign by hand: node main.ts, with PILOTLIGHT_CAMPAIGN_SEED and PILOTLIGHT_CAMPAIGN_PROCESSES. Prints its table. */
import { runCampaign } from './campaign.ts';
import { campaignOptions } from './options.ts';

const { table, complaints } = await runCampaign(campaignOptions(process.env));
process.stdout.write(`${table}\n`);
for (const complaint of complaints) process.stdout.write(`${complaint}\n`);
process.exitCode = complaints.length === 0 ? 0 : 1;
