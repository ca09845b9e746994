// Processes driven through their files with the tools of a shell.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readiness } from '@pilotlight/scm-rights';
import { countOpenFds } from '@pilotlight/scm-rights/testing';
import { freezeCgroup } from '@pilotlight/init';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeProcessSpec, newProcess, type SupervisedStore } from '../../src/containerd.ts';
import { isRoot } from '../is-root.ts';
import { Fixture, scriptProcess, scriptSpec } from './fixture.ts';

describe.skipIf(!isRoot)('processes in the layout of containerd', { timeout: 60_000 }, () => {
  // The zygote, and what is shared by all waits, stays open from the first launch on.
  beforeAll(async () => {
    await using fixture = await Fixture.open();
    await using process = await newProcess(fixture.store, {
      stateRoot: fixture.stateRoot,
      container: 'box',
      spec: scriptSpec('true'),
      bundle: fixture.bundle,
    });
    await process.waitExit();
  });

  test('newProcess makes the files by their names, with their modes and their contents', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, bundle } = fixture;
    const stdio = fixture.fifos('stdin', 'stdout');
    const spec = scriptSpec('read line');
    await using process = await newProcess(store, {
      stateRoot,
      container: 'box',
      spec,
      bundle,
      stdio,
      labels: ['a=1'],
    });
    expect(
      await fixture.sh('stat -c "%A %n" . ../state.json process.json exit control pid starttime'),
    ).toBe(
      [
        'drwxr-xr-x .',
        '-rw-r--r-- ../state.json',
        '-rw-r--r-- process.json',
        'prwxr-xr-x exit',
        'prwxr-xr-x control',
        '-rw-r--r-- pid',
        '-rw-r--r-- starttime',
        '',
      ].join('\n'),
    );
    expect(readFileSync(join(stateRoot, 'box', 'state.json'), 'utf8')).toBe(
      `{"bundle":"${bundle}","labels":["a=1"],"stdin":"","stdout":"","stderr":""}\n`,
    );
    expect(fixture.read('process.json').endsWith('}\n')).toBe(true);
    expect(decodeProcessSpec(fixture.read('process.json'), 'process.json')).toMatchObject({
      process: { args: ['sh', '-c', 'read line'], cwd: '/' },
      exec: false,
      rootUid: 0,
      stdio: { ...stdio, stderr: '/dev/null' },
    });
    expect(fixture.read('pid')).toBe(String(process.systemPid));
    const stat = await fixture.sh('cat /proc/$(cat pid)/stat');
    expect(fixture.read('starttime')).toBe(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    expect(process).toMatchObject({ id: 'init', container: 'box', supervised: true, stdio });
    expect(existsSync(fixture.path('exitStatus'))).toBe(false);
    await process.signal('SIGKILL');
    expect(await process.waitExit()).toMatchObject({ kind: 'signaled', signal: 9 });
    expect(fixture.read('exitStatus')).toBe('137');
    await process.remove();
    expect(readdirSync(stateRoot)).toEqual([]);
  });

  test('cat exit returns when the process is done, and exitStatus is there then', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, bundle } = fixture;
    const stdio = fixture.fifos('stdin');
    await using process = await newProcess(store, {
      stateRoot,
      container: 'box',
      spec: scriptSpec('read code; exit $code'),
      bundle,
      stdio,
    });
    await expect(process.exitStatus()).rejects.toMatchObject({ code: 'ERR_STORE_NOT_EXITED' });
    const hangup = readiness.wait(process.exitFd!, 'hangup');
    const told = await fixture.sh(`
      exec 3< exit
      test ! -e exitStatus
      echo 7 > "$SCRATCH/stdin"
      cat <&3
      cat exitStatus`);
    expect(told).toBe('7');
    expect((await hangup).hangup).toBe(true);
    expect(await process.exitStatus()).toBe(7);
    expect(await process.waitExit()).toMatchObject({ kind: 'exited', code: 7, id: 'box' });
    expect((await store.load('box')).exit).toMatchObject({ code: 7 });
  });

  test("a line in control resizes the terminal, width before height; its program's output ends with it", async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, bundle } = fixture;
    const stdio = fixture.fifos('stdin', 'stdout');
    const script = 'trap "stty size; exit 3" WINCH; echo ready; while :; do sleep 0.05; done';
    await using process = await newProcess(store, {
      stateRoot,
      container: 'box',
      spec: scriptSpec(script, { terminal: true }),
      bundle,
      stdio,
    });
    const output = await fixture.sh(`
      exec 3< "$SCRATCH/stdout"
      read line <&3
      printf '1 100 40\\n' > control
      echo "$line"; cat <&3`);
    expect(output).toBe('ready\r\n40 100\r\n');
    expect(await process.waitExit()).toMatchObject({ code: 3 });
  });

  test('resize sets the size of the terminal, and is refused where there is none', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, bundle } = fixture;
    const stdio = fixture.fifos('stdout');
    const script = 'trap "stty size; exit 3" WINCH; echo ready; while :; do sleep 0.05; done';
    const terminal = scriptSpec(script, { terminal: true });
    const common = { stateRoot, bundle };
    await using process = await newProcess(store, {
      ...common,
      container: 'box',
      spec: terminal,
      stdio,
    });
    const output = fixture.sh(`
      exec 3< "$SCRATCH/stdout"
      read line <&3
      touch "$SCRATCH/ready"
      cat <&3`);
    await fixture.sh('until [ -e "$SCRATCH/ready" ]; do sleep 0.01; done');
    await process.resize(132, 50);
    expect(await output).toBe('50 132\r\n');
    await using plain = await newProcess(store, {
      ...common,
      container: 'plain',
      spec: scriptSpec('sleep 1000'),
    });
    await expect(plain.resize(80, 24)).rejects.toMatchObject({ code: 'ERR_STORE_NO_CONSOLE' });
  });

  test('0 0 0 in control ends the input when everything that was written has been read (mistake 16)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, bundle } = fixture;
    const stdio = fixture.fifos('stdin', 'stdout');
    await using process = await newProcess(store, {
      stateRoot,
      container: 'box',
      // It begins to read the rest when the input has been closed already.
      spec: scriptSpec('read go; sleep 0.3; wc -c'),
      bundle,
      stdio,
    });
    const output = await fixture.sh(`
      exec 3< "$SCRATCH/stdout"
      echo go > "$SCRATCH/stdin"
      head -c 50000 /dev/zero > "$SCRATCH/stdin"
      printf '0 0 0\\n' > control
      cat <&3`);
    expect(output).toBe('50000\n');
    expect(await process.waitExit()).toMatchObject({ code: 0 });
  });

  test('garbage in control does nothing, and the line after it counts', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, bundle } = fixture;
    const stdio = fixture.fifos('stdin', 'stdout');
    await using process = await newProcess(store, {
      stateRoot,
      container: 'box',
      spec: scriptSpec('while read line; do echo "got $line"; done; echo end'),
      bundle,
      stdio,
    });
    const output = await fixture.sh(`
      exec 3< "$SCRATCH/stdout"
      printf 'garbage\\n\\n\\n0 0\\n9 9 9\\n1 80 24\\n1 -1 99999\\nx 0 0\\n' > control
      head -c 100000 /dev/zero > control
      printf '\\n0 ' > control
      echo one > "$SCRATCH/stdin"
      read line <&3; echo "$line"
      echo two > "$SCRATCH/stdin"
      read line <&3; echo "$line"
      printf '0 0\\n' > control
      cat <&3`);
    expect(output).toBe('got one\ngot two\nend\n');
    expect(await process.waitExit()).toMatchObject({ code: 0 });
  });

  test('clients of the standard streams come and go; the program is not stopped by that (mistake 17)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, bundle } = fixture;
    const stdio = fixture.fifos('stdin', 'stdout');
    await using process = await newProcess(store, {
      stateRoot,
      container: 'box',
      spec: scriptSpec('while read line; do echo "$line"; done'),
      bundle,
      stdio,
    });
    for (const word of ['one', 'two', 'three']) {
      expect(await fixture.sh(`echo ${word} > "$SCRATCH/stdin"; head -n 1 "$SCRATCH/stdout"`)).toBe(
        `${word}\n`,
      );
    }
    await process.closeStdin();
    expect(await process.waitExit()).toMatchObject({ code: 0 });
  });

  test('a process that has ended, or cannot start, leaves no descriptor, file or mount', async () => {
    const before = countOpenFds();
    {
      await using fixture = await Fixture.open();
      const { store, stateRoot, bundle, scratch } = fixture;
      const stdio = fixture.fifos('stdin', 'stdout', 'stderr');
      for (const terminal of [false, true]) {
        const common = { stateRoot, container: 'box', bundle, stdio };
        await using process = await newProcess(store, {
          ...common,
          spec: scriptSpec('exit 4', { terminal }),
        });
        expect(await process.waitExit()).toMatchObject({ code: 4 });
        await process.remove();
        const spec = scriptSpec('true', { terminal });
        spec.process.args = ['/no/such/program'];
        await expect(newProcess(store, { ...common, spec })).rejects.toMatchObject({
          message: expect.stringContaining('/no/such/program'),
        });
        await expect(
          newProcess(store, {
            ...common,
            stdio: { stdin: '/no/fifo', stdout: '/no/fifo' },
            spec: scriptSpec('true'),
          }),
        ).rejects.toMatchObject({ code: 'ENOENT' });
      }
      expect(readdirSync(stateRoot)).toEqual([]);
      expect(scratch.files().filter((name) => /^root\/(p|gone)\//.test(name))).toEqual([]);
      await store[Symbol.asyncDispose]();
      expect(scratch.mounts()).toEqual([]);
      expect(scratch.files().filter((name) => name.startsWith('root'))).toEqual([]);
    }
    expect(countOpenFds()).toBe(before);
  });

  test('newProcess says why a program does not start, and leaves nothing of it (mistake 2)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, bundle } = fixture;
    const spec = scriptSpec('true');
    spec.process.args = ['/no/such/program'];
    const request = { stateRoot, container: 'box', bundle, spec };
    await expect(newProcess(store, request)).rejects.toMatchObject({
      message: expect.stringMatching(/no.such.program/),
      hint: expect.any(String),
    });
    expect(readdirSync(stateRoot)).toEqual([]);
    expect((await store.list()).processes).toEqual([]);
  });

  test('newProcess gives an id to one process, and knows which are init and which are not', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, bundle } = fixture;
    const init = { stateRoot, container: 'box', bundle, spec: scriptSpec('sleep 1000') };
    const exec = { stateRoot, container: 'box', process: scriptProcess('true') };
    await expect(newProcess(store, { ...exec, id: 'e1' })).rejects.toMatchObject({
      code: 'ERR_STORE_NOT_FOUND',
    });
    await using _process = await newProcess(store, init);
    await expect(newProcess(store, init)).rejects.toMatchObject({ code: 'ERR_STORE_ID_IN_USE' });
    for (const id of ['init', 'a/b', '..']) {
      await expect(newProcess(store, { ...exec, id })).rejects.toMatchObject({
        code: 'ERR_STORE_INVALID_ID',
      });
    }
    expect(readdirSync(join(stateRoot, 'box')).toSorted()).toEqual(['init', 'state.json']);
    await expect(_process.remove()).rejects.toMatchObject({ code: 'ERR_STORE_NOT_STOPPED' });
    await _process.remove({ force: true });
    expect(readdirSync(stateRoot)).toEqual([]);
  });

  test('newProcess executes a process in a container, with a folder and streams of its own', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, bundle } = fixture;
    await using init = await newProcess(store, {
      stateRoot,
      container: 'box',
      bundle,
      spec: scriptSpec('sleep 1000'),
    });
    const stdio = fixture.fifos('stdin', 'stdout');
    await using exec = await newProcess(store, {
      stateRoot,
      container: 'box',
      id: 'e1',
      process: scriptProcess('cat; exit 6'),
      stdio,
    });
    expect(exec).toMatchObject({ id: 'e1', container: 'box', supervised: true, stdio });
    expect(decodeProcessSpec(fixture.read('process.json', 'e1'), 'x')).toMatchObject({
      exec: true,
      stdio,
    });
    const output = await fixture.sh(
      `exec 3< "$SCRATCH/stdout" 4< exit
      echo hello > "$SCRATCH/stdin"
      printf '0 0 0\\n' > control
      cat <&3
      cat <&4
      cat exitStatus`,
      'e1',
    );
    expect(output).toBe('hello\n6');
    expect((await store.load('box/e1')).exit).toMatchObject({ code: 6 });
    await exec.remove();
    expect(readdirSync(join(stateRoot, 'box')).toSorted()).toEqual(['init', 'state.json']);
    await init.remove({ force: true });
    expect(readdirSync(stateRoot)).toEqual([]);
  });

  test("an init's end is told after those of what was executed in its container (mistake 20)", async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, bundle } = fixture;
    const box = { stateRoot, container: 'box' };
    const init = await newProcess(store, { ...box, bundle, spec: scriptSpec('sleep 1000') });
    // As if whoever supervises them was slow.
    const slow: SupervisedStore = {
      launch: async (request) => store.launch(request),
      load: async (key) => store.load(key),
      remove: async (key) => store.remove(key),
      async exec(...request) {
        const executed = await store.exec(...request);
        return {
          pid: executed.pid,
          cgroupPaths: executed.cgroupPaths,
          exit: undefined,
          signal: async (signal) => executed.signal(signal),
          async wait(options) {
            const exit = await executed.wait(options);
            await sleep(200);
            return exit;
          },
        };
      },
    };
    const execs = [];
    for (const id of ['e1', 'e2', 'e3']) {
      execs.push(await newProcess(slow, { ...box, id, process: scriptProcess('sleep 1000') }));
    }
    const told = fixture.sh(`
      exec 3< exit
      touch "$SCRATCH/ready"
      until [ -e exitStatus ]; do :; done
      cat ../e1/exitStatus ../e2/exitStatus ../e3/exitStatus
      cat <&3; cat exitStatus`);
    await fixture.sh('until [ -e "$SCRATCH/ready" ]; do sleep 0.01; done');
    await init.signal('SIGKILL');
    expect(await told).toBe('137137137137');
    for (const exec of execs) await exec.close();
    await init.close();
  });

  test('an exit does not wait for descendants that hold the terminal (mistakes 13, 14)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, bundle } = fixture;
    const stdio = fixture.fifos('stdout');
    const spec = scriptSpec('trap "" HUP; sleep 1000 & echo last; exit 7', { terminal: true });
    // In our pid namespace, where the end of the first process ends no other.
    const namespaces = spec.linux?.namespaces?.filter(({ type }) => type !== 'pid');
    const cgroupsPath = `/process-store-containerd-${process.pid}`;
    const output = fixture.shell('cat "$SCRATCH/stdout"');
    await using box = await newProcess(store, {
      stateRoot,
      container: 'box',
      bundle,
      stdio,
      spec: { ...spec, linux: { ...spec.linux, namespaces, cgroupsPath } },
    });
    expect(await output).toBe('last\r\n');
    expect(await box.waitExit()).toMatchObject({ code: 7 });
    const [cgroup = ''] = (await store.load('box')).cgroupPaths;
    expect(await fixture.sh(`cat ${cgroup}/cgroup.procs`)).toMatch(/^\d+\n$/);
    await box.remove({ force: true });
  });

  test('the last output of a terminal is there before the hang-up, also for a slow reader (mistake 18)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, bundle } = fixture;
    const stdio = fixture.fifos('stdout');
    // More than the fifo holds, and less than fifo and terminal together: the program ends before anything is read.
    await using box = await newProcess(store, {
      stateRoot,
      container: 'box',
      bundle,
      stdio,
      spec: scriptSpec('head -c 68000 /dev/zero | tr "\\\\0" x; exit 2', { terminal: true }),
    });
    const told = await fixture.sh(`
      exec 3< "$SCRATCH/stdout" 4< exit
      until [ -e exitStatus ]; do sleep 0.01; done
      wc -c <&3
      cat <&4
      cat exitStatus`);
    expect(told).toBe('68000\n2');
    expect(await box.waitExit()).toMatchObject({ code: 2 });
  });

  test('signal ends a container that is paused (mistake 10)', async () => {
    await using fixture = await Fixture.open();
    const { store, stateRoot, bundle } = fixture;
    const spec = scriptSpec('sleep 1000');
    const cgroupsPath = `/process-store-frozen-${process.pid}`;
    await using box = await newProcess(store, {
      stateRoot,
      container: 'box',
      bundle,
      spec: { ...spec, linux: { ...spec.linux, cgroupsPath } },
    });
    const { cgroupPaths } = await store.load('box');
    await freezeCgroup(cgroupPaths);
    await box.signal('SIGKILL');
    expect(await box.waitExit()).toMatchObject({ signal: 9 });
    await box.remove();
  });
});
