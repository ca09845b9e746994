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
import { ChildAnswerReader, type ReadChildAnswer } from '@pilotlight/sync/bootstrap';
import {
  byteStreamOf,
  createStreamChannel,
  dialects,
  type StreamChannel,
} from '@pilotlight/sync/dialects';

const O_PATH = 0o1000_0000;

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
    const answer = await this.#readAnswer();
    if (answer === undefined) return undefined;
    const [stage1, stage2] = [pidfdOpen(answer.stage1Pid!), pidfdOpen(answer.stage2Pid)];
    this.#pid = answer.stage2Pid;
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
      dialects['runc-1.1.0'],
      { alreadyRead: answer.rest },
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
    return this.#pid!;
  }

  #pid: number | undefined;

  async #readAnswer(): Promise<ReadChildAnswer | undefined> {
    const reader = new ChildAnswerReader();
    for (;;) {
      const chunk = this.#socket.read() as Buffer | null;
      const answer = chunk === null ? undefined : reader.push(chunk);
      if (answer !== undefined) return answer;
      if (this.#socket.readableEnded || this.#socket.destroyed) return undefined;
      if (chunk !== null) continue;
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
    // All who held the other ends are dead: these end by themselves.
    await Promise.all([this.stdout, this.stderr, this.log]);
    for (const stream of this.#process.stdio) stream?.destroy();
    rmSync(this.#directory, { recursive: true });
  }
}
