// Processes driven through their files with the tools of a shell.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readiness } from '@pilotlight/scm-rights';
import { countOpenFds } from '@pilotlight/scm-rights/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeProcessSpec, newProcess } from '../../src/containerd.ts';
import { isRoot } from '../is-root.ts';
import { Fixture, scriptSpec } from './fixture.ts';

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
    await process.delete();
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

  test('0 0 0 in control ends the input when everything that was written has been read', async () => {
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

  test('clients of the standard streams come and go; the program is not stopped by that', async () => {
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
        await process.delete();
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
      expect(scratch.mounts()).toEqual([]);
    }
    expect(countOpenFds()).toBe(before);
  });
});
