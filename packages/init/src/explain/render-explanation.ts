import type { ExplainedStep } from './explained-step.ts';

/**
 * The steps as a table for people: number, actor, step and sentence, and below each its field and
 * its calls, where several in a row are one with their number. Ends with a newline.
 */
export function renderExplanation(steps: readonly ExplainedStep[]): string {
  const width = (of: (step: ExplainedStep) => string): number =>
    Math.max(0, ...steps.map((step) => of(step).length));
  const numbers = String(steps.length).length;
  const actors = width(({ actor }) => actor);
  const names = width(({ step }) => step);
  const indent = ' '.repeat(numbers + actors + names + 6);
  const lines = steps.flatMap(({ actor, step, what, field, calls = [] }, index) => {
    const number = String(index + 1).padStart(numbers);
    const head = `${number}  ${actor.padEnd(actors)}  ${step.padEnd(names)}  ${what}`;
    const details = [field, calls.length === 0 ? undefined : foldRepeats(calls)].filter(
      (detail) => detail !== undefined,
    );
    return details.length === 0 ? [head] : [head, `${indent}${details.join(': ')}`];
  });
  return lines.map((line) => `${escapeControls(line)}\n`).join('');
}

/** `close ×2` for two in a row. */
function foldRepeats(calls: readonly string[]): string {
  const runs: { name: string; count: number }[] = [];
  for (const name of calls) {
    const last = runs.at(-1);
    if (last?.name === name) last.count++;
    else runs.push({ name, count: 1 });
  }
  return runs.map(({ name, count }) => (count === 1 ? name : `${name} ×${count}`)).join(', ');
}

/** Paths and names come from a configuration: none may move the cursor of a terminal. */
const escapeControls = (text: string): string =>
  text.replaceAll(/\p{Cc}/gu, (control) => {
    const code = control.codePointAt(0)!.toString(16).padStart(4, '0');
    return `\\u${code}`;
  });
