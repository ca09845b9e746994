import { LaunchError } from '@pilotlight/init';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../errors.ts';
import { errorFacts, renderError } from './error.ts';
import { renderJsonList, renderJsonObject } from './json.ts';
import { renderTable } from './table.ts';

const plain = { colour: false };

describe('renderTable', () => {
  it('aligns columns as runc 1.1.5 does', () => {
    // runc list, with one container; only the id and the time differ from what it printed.
    const rows = [
      ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'],
      ['x', '18659', 'running', '/tmp/rc/b', '2026-11-22T22:16:38.4716737Z', 'root'],
    ];
    expect(renderTable(rows)).toBe(
      'ID          PID         STATUS      BUNDLE      CREATED                        OWNER\n' +
        'x           18659       running     /tmp/rc/b   2026-11-22T22:16:38.4716737Z   root\n',
    );
  });

  it('keeps three blanks after the longest cell', () => {
    expect(
      renderTable([
        ['a', 'b'],
        ['0123456789ab', 'c'],
      ]),
    ).toBe('a              b\n0123456789ab   c\n');
  });
});

describe('renderJsonObject', () => {
  it('indents by two and ends without a newline', () => {
    expect(renderJsonObject({ a: 1 })).toBe('{\n  "a": 1\n}');
  });
});

describe('renderJsonList', () => {
  it('is one line, and null for nothing', () => {
    expect(renderJsonList([{ a: 1 }, { b: 2 }])).toBe('[{"a":1},{"b":2}]\n');
    expect(renderJsonList([])).toBe('null\n');
  });
});

describe('renderError', () => {
  const launch = new LaunchError({
    step: 'mounts',
    message: 'bind /a at /b: open_tree /a: ENOENT (no such file or directory)',
    errno: -2,
    errnoCode: 'ENOENT',
    syscall: 'open_tree',
    path: '/a',
    hint: 'Create /a.',
    cause: new Error(
      'the child failed: bind /a at /b: open_tree /a: ENOENT (no such file or directory)',
    ),
  });

  it('shows step, path, errno and hint of a launch, and no cause that repeats the message', () => {
    expect(renderError(launch, plain)).toBe(
      'pilotlight: bind /a at /b: open_tree /a: ENOENT (no such file or directory)\n' +
        '  step: mounts  path: /a  errno: ENOENT\n' +
        '  hint: Create /a.\n',
    );
  });

  it('finds the fields of a launch below an error of clean-up', () => {
    const outer = Object.assign(new Error('launch x: it failed', { cause: launch }), {
      code: 'ERR_X',
    });
    expect(errorFacts(outer)).toMatchObject({
      code: 'ERR_X',
      step: 'mounts',
      path: '/a',
      causes: [launch.message],
    });
  });

  it('shows a cause that adds something, once', () => {
    const error = Object.assign(
      new Error('do it', { cause: new Error('no space', { cause: new Error('no space') }) }),
      { code: 'ERR_X' },
    );
    expect(renderError(error, plain)).toBe('pilotlight: do it\n  cause: no space\n');
  });

  it('shows all parts of an error that has several', () => {
    const error = new AggregateError([new Error('first'), new Error('second')], 'both failed');
    expect(errorFacts(error).causes).toEqual(['first', 'second']);
  });

  it('does not loop on a cause that is its own', () => {
    const error = Object.assign(new Error('round'), { code: 'ERR_X' });
    error.cause = error;
    expect(renderError(error, plain)).toBe('pilotlight: round\n');
  });

  it('colours only when told', () => {
    const error = new UsageError('wrong', 'Do right.');
    expect(renderError(error, { colour: true })).toContain(
      '\u001b[1;31mpilotlight:\u001b[0m wrong\n',
    );
    expect(renderError(error, plain)).toBe('pilotlight: wrong\n  hint: Do right.\n');
  });

  it('shows where an error came from that should not have happened', () => {
    const text = renderError(new TypeError('x is not a function'), plain);
    expect(text).toMatch(/^pilotlight: TypeError: x is not a function\n +at /);
    expect(text).toMatch(/hint: This is a defect of pilotlight/);
  });

  it('takes no code of ours for an errno', () => {
    const failure = new LaunchError({ step: 'init', message: 'no reason' });
    expect(errorFacts(failure).errno).toBeUndefined();
    expect(renderError(failure, plain)).toBe('pilotlight: no reason\n  step: init\n');
  });

  it('escapes what would command a terminal or look like lines of its own', () => {
    const text =
      '\u001b]0;title\u0007 \u001b[2J\r\u009b31m\u202e\u0000\npilotlight: all is well\ttab';
    const hostile = new LaunchError({ step: 'init', message: text, path: text, hint: text });
    const escaped =
      '\\x1b]0;title\\x07 \\x1b[2J\\x0d\\x9b31m\\u202e\\x00\n    pilotlight: all is well\ttab';
    expect(renderError(hostile, plain)).toBe(
      `pilotlight: ${escaped}\n  step: init  path: ${escaped}\n  hint: ${escaped}\n`,
    );
  });

  it('takes whatever was thrown', () => {
    expect(renderError('text', plain)).toMatch(/^pilotlight: text\n/);
  });
});
