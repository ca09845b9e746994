// A parent for the unmodified `runc init` of runc 1.1: starts it, speaks its protocol, reaps it.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import {
  closeAll,
  decodeWaitStatus,
  isSyscallError,
  type OwnedFd,
  pidfdOpen,
  pidfdSendSignal,
  waitPidfd,
  type WaitStatus,
} from '@pilotlight/scm-rights';
import { waitid } from '@pilotlight/scm-rights/libc';
import {
  byteStreamOf,
  createStreamChannel,
  dialects,
  type StreamChannel,
} from '@pilotlight/sync/dialects';

const O_PATH = 0o1000_0000;

const spoken = dialects['runc-1.1.0'];
export type RuncMessage = ReturnType<(typeof dialects)['runc-1.1.0']['message']>;

export type RuncInitOptions = {
  type: 'standard' | 'setns';
  bootstrap: Uint8Array;
  /** Working directory of the child, and its root file system. */
  rootfs: string;
};

/** A `runc init` that was started; everything of it ends with `dispose`. */
export class RuncInit implements AsyncDisposable {
  readonly #directory: string;
  readonly #process: ChildProcess;
  readonly #socket: Socket;
  readonly #pidfds: OwnedFd[] = [];
  /** Exit code of stage 0. */
  readonly stage0: Promise<number | null>;
  /** JSON lines of the log pipe; complete once every stage has closed it. */
  readonly log: Promise<string>;
  readonly stdout: Promise<string>;
  readonly stderr: Promise<string>;
  #stage2: OwnedFd | undefined;

  constructor({ type, bootstrap, rootfs }: RuncInitOptions) {
    this.#directory = mkdtempSync(join(tmpdir(), 'runc-init-'));
    const fifo = join(this.#directory, 'exec.fifo');
    execFileSync('mkfifo', [fifo]);
    const fifoFd = type === 'standard' ? openSync(fifo, O_PATH) : undefined;
    try {
      this.#process = spawn('runc', ['init'], {
        cwd: rootfs,
        env: {
          GOMAXPROCS: '',
          _LIBCONTAINER_INITPIPE: '3',
          _LIBCONTAINER_LOGPIPE: '4',
          _LIBCONTAINER_LOGLEVEL: '4',
          _LIBCONTAINER_STATEDIR: this.#directory,
          _LIBCONTAINER_INITTYPE: type,
          ...(fifoFd === undefined ? {} : { _LIBCONTAINER_FIFOFD: '5' }),
        },
        stdio: [
          'ignore',
          'pipe',
          'pipe',
          'pipe',
          'pipe',
          ...(fifoFd === undefined ? [] : [fifoFd]),
        ],
      });
    } finally {
      if (fifoFd !== undefined) closeSync(fifoFd);
    }
    this.stage0 = new Promise((resolve) => {
      this.#process.once('exit', (code) => resolve(code));
    });
    this.stdout = text(this.#process.stdout!);
    this.stderr = text(this.#process.stderr!);
    this.log = text(this.#process.stdio[4] as Socket);
    this.#socket = this.#process.stdio[3] as Socket;
    // A reset says no more than the end of file that the channel reports.
    this.#socket.on('error', () => undefined);
    this.#socket.write(bootstrap);
  }

  /**
   * Waits for the pids, reaps the stages 0 and 1, and gives the channel to stage 2. `undefined` if
   * runc's C part failed: then the log says why.
   */
  async toStage2(): Promise<StreamChannel<RuncMessage> | undefined> {
    const pids = await this.#readPids();
    if (pids === undefined) return undefined;
    const [stage1, stage2] = [pidfdOpen(pids.stage1), pidfdOpen(pids.stage2)];
    this.#pidfds.push(stage1, stage2);
    this.#stage2 = stage2;
    await waitPidfd(stage1);
    waitid(stage1.fd);
    await this.stage0;
    const socket = this.#socket;
    return createStreamChannel(
      byteStreamOf({
        incoming: socket,
        write: (bytes) =>
          new Promise((resolve, reject) => {
            socket.write(bytes, (error) => (error ? reject(error) : resolve()));
          }),
        close: () => socket.destroy(),
      }),
      spoken,
    );
  }

  /** The config, as one JSON object. */
  sendConfig(config: string): void {
    this.#socket.write(config);
  }

  /** Says that nothing more comes. */
  endSending(): void {
    this.#socket.end();
  }

  /** Opens the exec fifo, as `runc start` does; the byte that the child writes into it. */
  async start(): Promise<string> {
    const fifo = await open(join(this.#directory, 'exec.fifo'), 'r');
    try {
      return await fifo.readFile('utf8');
    } finally {
      await fifo.close();
    }
  }

  /** How stage 2, the container's process, ended; it is reaped. */
  async ended(): Promise<WaitStatus> {
    await waitPidfd(this.#stage2!);
    const { status } = waitid(this.#stage2!.fd)!;
    this.#stage2 = undefined;
    return decodeWaitStatus(status);
  }

  get pid(): number {
    return this.#pids!.stage2;
  }

  #pids: { stage1: number; stage2: number } | undefined;

  /** One NUL since 1.0.0-rc94, then the pids; what follows belongs to the channel, and nothing has followed yet. */
  async #readPids(): Promise<{ stage1: number; stage2: number } | undefined> {
    let received = '';
    for (;;) {
      const chunk = this.#socket.read() as Buffer | null;
      if (chunk !== null) received += chunk.toString();
      const match = /^\0?\{"stage1_pid":\s*(\d+),\s*"stage2_pid":\s*(\d+)\}\s*$/.exec(received);
      if (match !== null) {
        this.#pids = { stage1: Number(match[1]), stage2: Number(match[2]) };
        return this.#pids;
      }
      if (this.#socket.readableEnded || this.#socket.destroyed) return undefined;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          for (const event of ['readable', 'end', 'close']) this.#socket.off(event, done);
          resolve();
        };
        for (const event of ['readable', 'end', 'close']) this.#socket.once(event, done);
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill('SIGKILL');
      await this.stage0;
    }
    if (this.#stage2 !== undefined) {
      try {
        pidfdSendSignal(this.#stage2, 'SIGKILL');
      } catch (error) {
        if (!isSyscallError(error, 'ESRCH')) throw error;
      }
      await this.ended();
    }
    closeAll(this.#pidfds);
    for (const stream of this.#process.stdio) stream?.destroy();
    rmSync(this.#directory, { recursive: true });
  }
}
