// Network interfaces that move into the container, out of a network namespace made for the test.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { OciNetDevice } from '@pilotlight/init';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type BusyboxBundle,
  type Change,
  makeBundle,
  missing,
  newId,
  shellSpec,
} from './init-bundle.ts';

const run = promisify(execFile);

/** iproute2's, which knows veth; busybox's own does not. */
const ip = ['/usr/sbin/ip', '/sbin/ip', '/usr/bin/ip'].find((path) => existsSync(path));
function hasVeth(): boolean {
  if (ip === undefined || process.getuid?.() !== 0) return false;
  try {
    execFileSync(
      'unshare',
      ['--net', ip, 'link', 'add', 'a0', 'type', 'veth', 'peer', 'name', 'b0'],
      {
        stdio: 'ignore',
      },
    );
    return true;
  } catch {
    return false;
  }
}
const needs = missing('root', 'busybox-static');
const lacking = hasVeth() ? needs : `${needs} (needs iproute2 and veth)`;

describe.skipIf(lacking !== '')(`linux.netDevices${lacking}`, () => {
  let bundle: BusyboxBundle;

  beforeAll(() => {
    bundle = makeBundle();
  });
  afterAll(() => {
    bundle.remove();
  });

  type Result = {
    stdout: string;
    /** Of the outer namespace, while the program ran; each line an interface. */
    outside: string;
    error: { step?: string; errnoCode?: string; message: string; hint?: string } | undefined;
    phases: string[];
  };

  /** Launches from a fresh Node in a network namespace in which `prepare` has been run. */
  async function launchFrom(
    prepare: string,
    devices: Record<string, OciNetDevice>,
    script: string,
    change: Change = () => {},
    zygote = 'undefined',
  ): Promise<Result> {
    const spec = shellSpec(script, (own) => {
      own.linux!.netDevices = devices;
      change(own);
    });
    const library = fileURLToPath(import.meta.resolve('@pilotlight/init'));
    const file = join(bundle.path, 'launch.mjs');
    writeFileSync(
      file,
      `import { execFileSync } from 'node:child_process';
       import { launch, sharedZygote } from ${JSON.stringify(library)};
       import { subscribe } from 'node:diagnostics_channel';
       const result = { stdout: '', outside: '', phases: [] };
       try {
         const launched = await launch(
           { id: ${JSON.stringify(newId())}, spec: ${JSON.stringify(spec)}, bundle: ${JSON.stringify(bundle.path)} },
           { stdio: ['ignore', 'pipe', 'inherit'], zygote: ${zygote} },
         );
         result.outside = execFileSync(${JSON.stringify(ip)}, ['-o', 'link'], { encoding: 'utf8' });
         for await (const part of launched.stdout) result.stdout += part;
         await launched.exited;
         result.phases = launched.phases.map(({ name }) => name);
       } catch (error) {
         const { step, errnoCode, message, hint } = error;
         result.error = { step, errnoCode, message, hint };
       }
       console.log(JSON.stringify(result));`,
    );
    const { stdout } = await run('unshare', [
      '--net',
      'sh',
      '-ec',
      `${prepare}\nexec "$0" "$1"`,
      process.execPath,
      file,
    ]);
    return JSON.parse(stdout) as Result;
  }

  const pair = `${ip} link add left type veth peer name right; ${ip} link set left address 02:00:00:00:00:07 mtu 1400`;
  const show = 'ip -o link | grep -v " lo:"; ip -o addr | grep -v " lo "; ip route';

  it('linux.netDevices moves an interface with its addresses, and sets it up', async () => {
    const prepare = `${pair}; ${ip} addr add 10.9.8.7/24 dev left; ${ip} addr add fd00:9::7/64 dev left nodad; ${ip} link set left up; ${ip} link set right up`;
    const { stdout, outside, phases } = await launchFrom(prepare, { left: {} }, show);
    expect(stdout).toMatch(/left@\S+: <[^>]*\bUP\b[^>]*> mtu 1400 .*link\/ether 02:00:00:00:00:07/);
    expect(stdout).toMatch(/left +inet 10\.9\.8\.7\/24 /);
    expect(stdout).toMatch(/left +inet6 fd00:9::7\/64 scope global/);
    expect(stdout).toContain('10.9.8.0/24 dev left');
    expect(outside).not.toContain('left:');
    expect(outside).toContain('right');
    expect(phases).toContain('net devices');
  });

  it('a child that crashes once it has a network device is not tried again: nobody can give it a second time', async () => {
    // As after a fork that went wrong; a fault of its own is the only signal that it does not block.
    const crashing = `{
      async fork(request) {
        const child = await (await sharedZygote()).fork(request);
        subscribe('pilotlight:launch:phase', ({ name }) => {
          if (name === 'net devices') process.kill(child.pid, 'SIGKILL');
        });
        return { ...child, ended: child.ended.then((status) => ({ ...status, signal: 11 })) };
      },
      close: async () => {},
    }`;
    const { error } = await launchFrom(pair, { left: {} }, 'true', () => {}, crashing);
    expect(error?.message).toMatch(/killed by signal 11|cgroup/);
    expect(error?.message).not.toContain('left');
  });

  it('linux.netDevices renames, and numbers a name with %d', async () => {
    const prepare = `${pair}; ${ip} link add other type veth peer name far; ${ip} addr add 10.1.1.1/32 dev other`;
    const { stdout } = await launchFrom(
      prepare,
      { left: { name: 'eth0' }, right: { name: 'eth%d' }, other: { name: 'eth%d' } },
      show,
    );
    expect(stdout.match(/\beth\d/g)?.toSorted()).toEqual(
      expect.arrayContaining(['eth0', 'eth1', 'eth2']),
    );
    expect(stdout).toMatch(/eth2 +inet 10\.1\.1\.1\/32/);
    expect(stdout).not.toMatch(/\bpl[0-9a-f]{12}/);
  });

  it('linux.netDevices leaves addresses behind that belong to the link or to a lease', async () => {
    const prepare = `${pair}; ${ip} addr add 10.2.2.2/24 dev left valid_lft 1000 preferred_lft 1000; ${ip} addr add 10.3.3.3/24 scope link dev left`;
    const { stdout } = await launchFrom(prepare, { left: {} }, show);
    expect(stdout).not.toMatch(/10\.2\.2\.2|10\.3\.3\.3/);
  });

  it('linux.netDevices of an interface that does not exist is a failure that says so', async () => {
    const { error, outside } = await launchFrom(pair, { left: {}, missing: {} }, 'true');
    expect(error).toMatchObject({ step: 'net devices', errnoCode: 'ENODEV' });
    expect(error?.message).toContain('move network device missing');
    expect(error?.hint).toContain('ip link');
    expect(outside).toBe('');
  });

  it('a launch without linux.netDevices does nothing of it', async () => {
    const { phases } = await launchFrom('true', {}, 'true');
    expect(phases).not.toContain('net devices');
  });
});
