/** One step of a launch that was not made. */
export type ExplainedStep = {
  /** Who does it: this process, the one that forks, or the child on its way to the program. */
  readonly actor: 'parent' | 'zygote' | 'child';
  /** As `step` of a LaunchError names it. */
  readonly step: string;
  /** One sentence. */
  readonly what: string;
  /** Where in the configuration it comes from, for example `mounts[2]`. */
  readonly field?: string;
  /**
   * System calls that it makes, in order, by their names in section 2 of the manual. Of the child
   * they are complete, where the steps of the others name the main ones.
   */
  readonly calls?: readonly string[];
};
