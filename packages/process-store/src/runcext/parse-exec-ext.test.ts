import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStoreError } from '../errors.ts';
import { parseExecExt } from './parse-exec-ext.ts';
import { runcExecArgs } from './runc-args.ts';
import { runtimeCommand } from './runtime-command.ts';

const words = (line: string): string[] => line.split(' ');

const exec = ['exec', '--process', 'p', '--detach', '--pid-file', 'f'];

describe('parseExecExt', () => {
  it('parseExecExt reads back what runtimeCommand and runcExecArgs write', () => {
    const text = fc.stringMatching(/^[^\0]{1,12}$/);
    const options = fc.record(
      {
        command: text,
        root: text,
        debug: fc.constant(true),
        log: text,
        logFormat: fc.constantFrom('text', 'json'),
        criu: text,
        systemdCgroup: fc.constant(true),
        rootless: fc.boolean(),
      },
      { requiredKeys: ['command'] },
    );
    fc.assert(
      fc.property(options, text, fc.option(text), (runtime, process, socket) => {
        const wanted = {
          process,
          detach: true,
          pidFile: '/f',
          ...(socket === null ? {} : { consoleSocket: socket }),
        };
        const line = runtimeCommand(runtime, runcExecArgs('box', wanted), ['w']);
        expect(parseExecExt(line.slice(1))).toEqual({ runtime, id: 'box', exec: wanted });
      }),
    );
  });

  it.each([
    ['one dash', ['-root', 'r', 'exec', '-process=p', '-d', '-pid-file', 'f', 'box']],
    ['short names', ['--root=r', 'exec', '-p', 'p', '-d=1', '--pid-file=f', 'box']],
    ['the last of two', ['--root=x', '--root=r', ...exec, 'box']],
    ['an end of flags', ['--root=r', '--', ...exec, '--', 'box']],
    ['booleans that are off', ['--root=r', '--debug=F', '--systemd-cgroup=false', ...exec, 'box']],
  ])('parseExecExt follows Go: %s', (_name, args) => {
    expect(parseExecExt(args)).toEqual({
      runtime: { root: 'r' },
      id: 'box',
      exec: { process: 'p', detach: true, pidFile: 'f' },
    });
  });

  it.each([
    [[], /the command exec is missing/],
    [['run', 'box'], /there is no command "run"/],
    [['--cgroup-manager', 'x', ...exec, 'box'], /"--cgroup-manager" is not a known flag/],
    [['--root'], /--root needs a value/],
    [['--log=', ...exec, 'box'], /--log needs a value/],
    [['--log-format', 'xml', ...exec, 'box'], /--log-format: "xml" is none of text, json/],
    [['--rootless=maybe', ...exec, 'box'], /--rootless: "maybe" is none of/],
    [['--debug=maybe', ...exec, 'box'], /--debug: "maybe" is neither/],
    [['-d', ...exec, 'box'], /"-d" is not a known flag/],
    [[...exec], /the id of the container is missing/],
    [[...exec, 'box', 'ls'], /"ls" is one argument too many/],
    [[...exec, '--constructor', 'box'], /exec "--constructor" is not a known flag/],
    [['exec', '--process', 'p', '--pid-file', 'f', 'box'], /--detach is missing/],
    [[...exec, '--detach=false', 'box'], /--detach is missing/],
    [['exec', '--detach', '--pid-file', 'f', 'box'], /--process is missing/],
    [['exec', '--detach', '--process', 'p', 'box'], /--pid-file is missing/],
  ])('parseExecExt refuses %j', (args, reason) => {
    expect(() => parseExecExt(args)).toThrow(reason);
  });

  it.each(
    words(
      '--cwd=/ --env=A=1 -e --tty -t --user -u --additional-gids -g --process-label --apparmor --no-new-privs --cap -c --preserve-fds --cgroup --ignore-paused',
    ),
  )('parseExecExt refuses %s, which the original reads and drops', (flag) => {
    expect(() => parseExecExt([...exec, flag, 'box'])).toThrow(/exec --[\w-]+ is not supported/);
  });

  it('parseExecExt throws nothing but its own errors', () => {
    const word = fc.oneof(fc.constantFrom(...exec, '--'), fc.string());
    expect(() =>
      fc.assert(
        fc.property(fc.array(word), (args) => {
          try {
            parseExecExt(args);
          } catch (error) {
            if (!isStoreError(error)) throw error;
          }
        }),
      ),
    ).not.toThrow();
  });
});
