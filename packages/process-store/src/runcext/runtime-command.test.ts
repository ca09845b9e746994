import { describe, expect, it } from 'vitest';
import { runcCreateArgs, runcExecArgs } from './runc-args.ts';
import { runtimeCommand, type RuntimeOptions } from './runtime-command.ts';
import { runtimeEnvironment } from './runtime-environment.ts';

const everything: RuntimeOptions = {
  rootless: false,
  systemdCgroup: true,
  criu: '/c',
  logFormat: 'json',
  log: '/l',
  debug: true,
  root: '/r',
  command: '/usr/bin/crun',
};

const words = (line: string): string[] => line.split(' ');

describe('runtimeCommand', () => {
  it.each<[string, RuntimeOptions, string[]]>([
    ['nothing', {}, ['runc', 'list']],
    ['a root', { root: '/r' }, ['runc', '--root', '/r', 'list']],
    ['flags that are off', { debug: false, systemdCgroup: false }, ['runc', 'list']],
    ['rootless', { rootless: true }, ['runc', '--rootless=true', 'list']],
    ['rootless left to the runtime', { rootless: 'auto' }, ['runc', 'list']],
    [
      'everything, in one order',
      everything,
      words(
        '/usr/bin/crun --root /r --debug --log /l --log-format json --criu /c --systemd-cgroup --rootless=false list',
      ),
    ],
  ])('runtimeCommand passes %s', (_name, options, line) => {
    expect(runtimeCommand(options, ['list'])).toEqual(line);
  });

  it('runtimeCommand swaps in a wrapper and names the runtime behind the options', () => {
    expect(runtimeCommand({ root: '/r' }, ['exec', 'box'], ['pilotlight', 'exec-ext'])).toEqual(
      words('pilotlight exec-ext --root /r --command runc exec box'),
    );
    expect(runtimeCommand(everything, ['exec'], ['embedshim-runcext']).slice(-4)).toEqual(
      words('--rootless=false --command /usr/bin/crun exec'),
    );
  });
});

describe('runcExecArgs', () => {
  it('runcExecArgs puts the id last and makes the pid file absolute', () => {
    expect(runcExecArgs('box', { process: '/b/x.json' })).toEqual(
      words('exec --process /b/x.json box'),
    );
    expect(
      runcExecArgs('box', {
        pidFile: 'x.pid',
        detach: true,
        consoleSocket: '/s',
        process: '/b/x.json',
      }),
    ).toEqual(
      words(
        `exec --process /b/x.json --console-socket /s --detach --pid-file ${process.cwd()}/x.pid box`,
      ),
    );
  });

  it.each(['-d', '--root', '', '..', 'a/b', 'a b'])('runcExecArgs refuses the id %j', (id) => {
    expect(() => runcExecArgs(id, { process: '/p' })).toThrow(/as an id/);
    expect(() => runcCreateArgs(id, { bundle: '/b' })).toThrow(/as an id/);
  });
});

describe('runcCreateArgs', () => {
  it('runcCreateArgs keeps one order', () => {
    expect(runcCreateArgs('box', { bundle: '/b' })).toEqual(['create', '--bundle', '/b', 'box']);
    expect(
      runcCreateArgs('box', {
        preserveFds: 2,
        detach: true,
        noNewKeyring: true,
        noPivot: true,
        pidfdSocket: '/f',
        consoleSocket: '/s',
        pidFile: '/b/init.pid',
        bundle: '/b',
      }),
    ).toEqual(
      words(
        'create --bundle /b --pid-file /b/init.pid --console-socket /s --pidfd-socket /f --no-pivot --no-new-keyring --detach --preserve-fds 2 box',
      ),
    );
  });
});

describe('runtimeEnvironment', () => {
  it('runtimeEnvironment leaves out NOTIFY_SOCKET and what it is told, and keeps the rest', () => {
    const env = { PATH: '/bin', NOTIFY_SOCKET: '@s', NOTIFY_SOCKET_2: '', A: undefined, B: '1' };
    expect(runtimeEnvironment(env, 'B')).toEqual({ PATH: '/bin', NOTIFY_SOCKET_2: '' });
  });
});
