/** What a campaign is told by the environment. Throws for what is no number. */
export function campaignOptions(env: NodeJS.ProcessEnv): {
  seed: string | undefined;
  processes: number | undefined;
} {
  const count = env['PILOTLIGHT_CAMPAIGN_PROCESSES'];
  const processes = count === undefined ? undefined : Number(count);
  if (processes !== undefined && !(Number.isInteger(processes) && processes > 0)) {
    throw new TypeError(`PILOTLIGHT_CAMPAIGN_PROCESSES is ${count}, not a number of processes`);
  }
  return { seed: env['PILOTLIGHT_CAMPAIGN_SEED'], processes };
}
