import type { LaunchPhase, Stdio, StdioOptions } from '@pilotlight/init';
import { closeAll, type FdLike, type OwnedFd } from '@pilotlight/scm-rights';
import type { JsonValue } from '@pilotlight/sync';
import { openDirectory } from '../disk/open-directory.ts';
import { isStoreError, MonitorError } from '../errors.ts';
import type { MonitorConnection } from '../monitor/client/connect-monitor.ts';
import type { MonitorMessage } from '../monitor/wire/client-protocol.ts';
import { toMemfd } from '../monitor/wire/json-memfd.ts';
import type { Received } from '../monitor/wire/packets.ts';
import { fromWireError } from '../monitor/wire/wire-error.ts';
import { readFacts } from '../record/read-facts.ts';
import type { SpecRecord } from '../record/spec-record.ts';
import { here } from '../supervision/here.ts';
import { removeProcess } from './remove.ts';
import { formatRecordKey } from '../record/record-key.ts';
import type { ExecRequest } from './exec.ts';
import type { LaunchRequest } from './launch.ts';
import type { LaunchedRecord } from './launch-attempt.ts';
import type { RestartOptions } from './restart.ts';
import { LiveProcess } from './live-process.ts';
import { load } from './load.ts';
import { RemoteProgram } from './remote-program.ts';
import type { LaunchStep, MonitorAccess, StoreContext } from './store-context.ts';
import { descriptorsOf, requireTravelling, valuesOf } from './travelling-request.ts';
import { wait } from './wait.ts';

/** What is asked for, beside what is recorded of it. */
export type RemoteRequest = Partial<LaunchRequest & ExecRequest> & {
  /** Start again what has ended under that id. */
  again?: boolean;
};

/** How often a monitor may leave, or die, before it has recorded anything of the launch. */
const ATTEMPTS = 3;
/** How long the monitor may take to undo a launch that is given up here. */
const UNDO_MS = 30_000;

type Context = StoreContext & { monitor: MonitorAccess };

/**
 * Launches in tier C: the monitor is the parent. The streams end here, and so do the hooks of the request.
 *
 * Throws CannotTravelError, MonitorError, ForeignNamespaceError, and what `launch` throws.
 */
export async function launchAtMonitor(
  context: Context,
  request: RemoteRequest,
  spec: SpecRecord,
): Promise<LaunchedRecord> {
  const own = spec.container === undefined ? context.launcher : context.executor;
  requireTravelling(request, own !== undefined);
  const since = new Date().toISOString();
  for (let attempt = 1; ; attempt++) {
    await context.root.create();
    const result = await new RemoteLaunch(context, request, spec).run();
    if (result !== 'monitor gone') return result;
    // What was started again keeps its record in any case: it has ended, and can be started again.
    if (request.again !== true) await removeNeverStarted(context, keyOf(spec), since);
    if (attempt === ATTEMPTS) {
      throw new MonitorError(
        context.root.layout.root,
        `it has ended ${ATTEMPTS} times in a launch`,
      );
    }
  }
}

/** Starts again in tier C; `spec` is what the next record will hold. Throws as {@link launchAtMonitor}, and as `restart`. */
export async function restartAtMonitor(
  context: Context,
  { signal, beforeRun, onWarning }: RestartOptions,
  spec: SpecRecord,
): Promise<LaunchedRecord> {
  const request: RemoteRequest = {
    again: true,
    ...(signal === undefined ? {} : { signal }),
    ...(beforeRun === undefined ? {} : { beforeRun }),
    ...(onWarning === undefined ? {} : { onWarning }),
  };
  return launchAtMonitor(context, request, spec);
}

/**
 * What a monitor that died had recorded before it could tell us of it would keep the id. Its gate was not opened: that takes
 * our word. What is not ours, or runs, is left alone, and the next attempt says so.
 */
async function removeNeverStarted(context: Context, key: string, since: string): Promise<void> {
  try {
    const { facts } = await load(context.root, key);
    if (facts.released || facts.spec.createdAt < since) return;
    const exit = await wait(context, key, facts.proc, AbortSignal.timeout(UNDO_MS));
    if (!exit.started) await removeProcess(context, key, facts.proc);
  } catch (error) {
    if (!isStoreError(error) && !(error instanceof DOMException)) throw error;
  }
}

function keyOf({ id, container }: SpecRecord): string {
  return formatRecordKey(
    container === undefined ? { container: id, exec: undefined } : { container, exec: id },
  );
}

class RemoteLaunch {
  readonly #context: Context;
  readonly #request: RemoteRequest;
  readonly #key: string;
  readonly #spec: SpecRecord;
  #pidfd: OwnedFd | undefined;
  #stdio: Stdio | undefined;
  /** Where the monitor hears no more words of this launch. */
  #isOver = false;

  constructor(context: Context, request: RemoteRequest, spec: SpecRecord) {
    this.#context = context;
    this.#request = request;
    this.#spec = spec;
    this.#key = keyOf(spec);
  }

  /** `monitor gone` if nothing was recorded when it ended: then another attempt does no harm. */
  async run(): Promise<LaunchedRecord | 'monitor gone'> {
    const { signal } = this.#request;
    using connection = await this.#context.monitor.connect(signal);
    try {
      if (!(await this.#send(connection))) return await this.#giveUp('monitor gone');
      const phases = await this.#converse(connection);
      if (phases === 'monitor gone') return await this.#giveUp(phases);
      return await this.#describe(phases);
    } catch (error) {
      await this.#undo(connection);
      return await this.#giveUp(Promise.reject(error as Error));
    }
  }

  async #send(connection: MonitorConnection): Promise<boolean> {
    const { signal, transcript } = this.#request;
    this.#stdio = await this.#openStreams();
    using memfd = toMemfd(
      'launch request',
      valuesOf(this.#request, this.#spec) as unknown as JsonValue,
    );
    const given = descriptorsOf(this.#request, this.#stdio?.fds);
    const fds: FdLike[] = [memfd, ...given.map(({ fd }) => fd)];
    const sent = await connection.send(
      {
        type: 'launch',
        roles: ['request', ...given.map(({ role }) => role)],
        steps: this.#context.hasSteps ?? false,
        transcript: transcript !== undefined,
        namespaces: here().namespaces,
      },
      fds,
      { signal },
    );
    // Every copy but the child's own has to be closed, so that its end is the end of the stream.
    this.#stdio?.closeChildEnds();
    return sent;
  }

  /** With a terminal the streams do not count, and those that last are opened by the monitor. */
  async #openStreams(): Promise<Stdio | undefined> {
    if (this.#request.consoleSocket !== undefined || this.#spec.stdio !== undefined)
      return undefined;
    const { defaultStdio, openStdio } = await import('@pilotlight/init');
    return openStdio((this.#request.stdio as StdioOptions | undefined) ?? defaultStdio);
  }

  /** Until it runs. */
  async #converse(connection: MonitorConnection): Promise<readonly LaunchPhase[] | 'monitor gone'> {
    const { signal } = this.#request;
    for (;;) {
      const received = await connection.receive({ signal });
      if (received === undefined) {
        this.#isOver = true;
        if (this.#pidfd === undefined) return 'monitor gone';
        throw new MonitorError(
          this.#context.root.layout.root,
          'it ended during the launch; the record tells what became of it',
        );
      }
      if (received.message.type === 'started') {
        this.#isOver = true;
        closeAll(received.fds);
        return received.message.phases;
      }
      await this.#take(connection, received);
    }
  }

  async #take(
    connection: MonitorConnection,
    { message, fds }: Received<MonitorMessage>,
  ): Promise<void> {
    if (message.type === 'recorded') this.#pidfd = fds.shift();
    closeAll(fds);
    const { beforeRun, onWarning, transcript, signal } = this.#request;
    switch (message.type) {
      case 'step':
        await this.#context.at(message.step as LaunchStep);
        await connection.send({ type: 'continue' });
        return;
      case 'transcript':
        transcript?.(message.line);
        return;
      case 'warning':
        onWarning?.(await fromWireError(message.error));
        return;
      case 'recorded': {
        const { id, pid } = message;
        await beforeRun?.({ key: this.#key, id, pid });
        signal?.throwIfAborted();
        await connection.send({ type: 'go' });
        return;
      }
      case 'failed':
        this.#isOver = true;
        throw await fromWireError(message.error);
      default:
        throw new MonitorError(
          this.#context.root.layout.root,
          `it answered a launch with ${message.type}`,
        );
    }
  }

  /** Tells the monitor to stop, and waits until it has undone everything. */
  async #undo(connection: MonitorConnection): Promise<void> {
    if (this.#isOver || connection.closed) return;
    const deadline = { signal: AbortSignal.timeout(UNDO_MS) };
    try {
      await connection.send({ type: 'abort' }, [], deadline);
      for (;;) {
        const received = await connection.receive(deadline);
        closeAll(received?.fds ?? []);
        if (received === undefined || received.message.type === 'failed') return;
        if (received.message.type === 'started') {
          // It was faster: the program runs, and nobody wants it.
          await removeProcess(this.#context, this.#key, undefined, { force: true });
          return;
        }
      }
    } catch {
      // What failed first is what counts; the hang-up aborts it all the same.
    }
  }

  async #giveUp<T>(result: T): Promise<Awaited<T>> {
    this.#pidfd?.close();
    this.#stdio?.destroy();
    return await result;
  }

  async #describe(phases: readonly LaunchPhase[]): Promise<LaunchedRecord> {
    const path = this.#context.root.layout.record(this.#key);
    await using directory = await openDirectory(path);
    const { spec, proc } = await readFacts(directory, path);
    if (spec === undefined || proc === undefined || this.#pidfd === undefined) {
      throw new MonitorError(
        this.#context.root.layout.root,
        `it has launched ${this.#key} without a record`,
      );
    }
    const program = new RemoteProgram(this.#pidfd, this.#stdio, phases);
    // The monitor tells its start.
    return {
      spec,
      proc,
      live: new LiveProcess(this.#key, proc, program),
      settled: Promise.resolve(),
    };
  }
}
