import type { Reporter, TestCase, TestModule } from 'vitest/node';

/**
 * Names what was skipped and why, and closes with one plain line that any CI can read.
 *
 * A test that needs root or a program that is not here says so in its own name, or in its suite's.
 */
export default class ClosingReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[] = []): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    const skipped = new Map<string, number>();
    for (const module of modules) {
      if (module.state() === 'failed' && module.children.size === 0) count.failed += 1;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        count[state] += 1;
        if (state === 'skipped') {
          const name = skippedName(test);
          skipped.set(name, (skipped.get(name) ?? 0) + 1);
        }
      }
    }
    const lines = [...skipped].map(([name, tests]) => `skipped: ${name} (${tests})`);
    // An error outside of a test fails the run as well.
    const failed = count.failed + count.pending + unhandledErrors.length;
    lines.push(`${count.passed} passed, ${failed} failed, ${count.skipped} skipped`);
    process.stdout.write(`\n${lines.join('\n')}\n`);
  }
}

/** The outermost suite that is skipped as a whole, or the test itself. */
function skippedName(test: TestCase): string {
  let name = test.fullName;
  for (let parent = test.parent; parent.type === 'suite'; parent = parent.parent) {
    if (parent.options.mode === 'skip') name = parent.fullName;
  }
  return name;
}
