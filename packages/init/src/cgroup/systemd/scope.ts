import { CgroupError } from '../../errors.ts';
import { busSocket } from './bus-address.ts';
import { BusConnection, type DbusCall, DbusCallError } from './bus-connection.ts';
import type { DbusValue, DbusVariant } from './dbus-type.ts';
import type { DbusMessage } from './message.ts';
import type { ScopePlan, ScopeProperty } from './plan-scope.ts';

const systemd = { destination: 'org.freedesktop.systemd1', path: '/org/freedesktop/systemd1' };
const manager = { ...systemd, interface: 'org.freedesktop.systemd1.Manager' };
const bus = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
};
const properties = 'org.freedesktop.DBus.Properties';

export type ScopeOptions = {
  /** How long systemd may take, in milliseconds. Default 30 000, as runc's. */
  timeoutMs?: number;
  /** Instead of the bus that the plan names; a path for `net.connect`. */
  socket?: string;
};

/**
 * Has systemd make a transient scope and move a process into it; resolves when it is there. org.freedesktop.systemd1(5).
 *
 * @returns the scope's cgroup, from the root of the hierarchy
 * @throws CgroupError when no bus answers, or systemd refuses; a scope that was made by then is stopped
 */
export async function startScope(
  plan: ScopePlan,
  pid: number,
  options: ScopeOptions = {},
): Promise<string> {
  return withManager(`start ${plan.unit}`, plan, options, async (systemdManager) => {
    const known = plan.properties.filter(({ since = 0 }) => systemdManager.version >= since);
    const list: ScopeProperty[] = [
      ...known,
      { name: 'PIDs', value: { signature: 'au', value: [pid] } },
    ];
    const start = (): Promise<void> =>
      systemdManager.job({
        ...manager,
        member: 'StartTransientUnit',
        signature: 'ssa(sv)a(sa(sv))',
        body: [plan.unit, 'replace', list.map(({ name, value }) => [name, value]), []],
      });
    try {
      await start();
    } catch (error) {
      if (!isCallError(error, 'org.freedesktop.systemd1.UnitExists')) throw error;
      // One that failed before is kept by systemd for whoever wants to know why.
      await systemdManager.resetFailed(plan.unit);
      await start();
    }
    try {
      return await systemdManager.controlGroup(plan.unit);
    } catch (error) {
      await systemdManager.stop(plan.unit).catch(() => undefined);
      throw error;
    }
  });
}

/**
 * Stops a scope, which kills what is left in it, and has systemd forget it. One that is gone, as a scope is soon after its last
 * process, is no error.
 *
 * @throws CgroupError
 */
export async function stopScope(plan: ScopePlan, options: ScopeOptions = {}): Promise<void> {
  await withManager(`stop ${plan.unit}`, plan, options, async (systemdManager) => {
    await systemdManager.stop(plan.unit);
    await systemdManager.resetFailed(plan.unit);
  });
}

const isCallError = (error: unknown, name: string): boolean =>
  error instanceof DbusCallError && error.errorName === name;

/** The service manager's side of a connection. */
class SystemdManager {
  readonly #connection: BusConnection;
  /** Results of jobs, also of those that end before their number is known. */
  readonly #results: Map<string, string>;
  readonly #awaited: Map<string, (result: string) => void>;
  version = 0;

  private constructor(
    connection: BusConnection,
    results: Map<string, string>,
    awaited: Map<string, (result: string) => void>,
  ) {
    this.#connection = connection;
    this.#results = results;
    this.#awaited = awaited;
  }

  static async of(socket: string, signal: AbortSignal): Promise<[SystemdManager, BusConnection]> {
    const results = new Map<string, string>();
    const awaited = new Map<string, (result: string) => void>();
    const onSignal = (message: DbusMessage): void => {
      if (message.member !== 'JobRemoved' || message.interface !== manager.interface) return;
      const [, job, , result] = message.body as [number, string, string, string];
      results.set(job, result);
      awaited.get(job)?.(result);
    };
    const connection = await BusConnection.open(socket, onSignal, signal);
    try {
      const made = new SystemdManager(connection, results, awaited);
      await made.#subscribe();
      return [made, connection];
    } catch (error) {
      connection[Symbol.dispose]();
      throw error;
    }
  }

  /** Before any job: the end of one that is quick would be missed. */
  async #subscribe(): Promise<void> {
    await this.#connection.call({
      ...bus,
      member: 'AddMatch',
      signature: 's',
      body: [
        `type='signal',sender='${systemd.destination}',path='${systemd.path}',interface='${manager.interface}',member='JobRemoved'`,
      ],
    });
    await this.#connection.call({ ...manager, member: 'Subscribe' });
    const version = await this.#property(systemd.path, manager.interface, 'Version');
    // Such as "255.4-1ubuntu8" or "v249".
    const digits = typeof version === 'string' ? /\d+/.exec(version)?.[0] : undefined;
    this.version = Number(digits ?? 0);
  }

  /** Calls what returns a job, and waits for its end. @throws Error when it did not do what it should */
  async job(call: DbusCall): Promise<void> {
    const [job] = (await this.#connection.call(call)) as [string];
    const result = this.#results.get(job) ?? (await this.#resultOf(job));
    if (result !== 'done' && result !== 'skipped') {
      throw new Error(`the job of systemd ended with "${result}"`);
    }
  }

  /** Rejects when the connection ends: then no signal comes any more. */
  async #resultOf(job: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#awaited.set(job, resolve);
    this.#connection.ended.catch(reject);
    return promise;
  }

  async stop(unit: string): Promise<void> {
    try {
      await this.job({ ...manager, member: 'StopUnit', signature: 'ss', body: [unit, 'replace'] });
    } catch (error) {
      if (!isCallError(error, 'org.freedesktop.systemd1.NoSuchUnit')) throw error;
    }
  }

  async resetFailed(unit: string): Promise<void> {
    try {
      await this.#connection.call({
        ...manager,
        member: 'ResetFailedUnit',
        signature: 's',
        body: [unit],
      });
    } catch (error) {
      // It has not failed, or is gone.
      if (!(error instanceof DbusCallError)) throw error;
    }
  }

  async controlGroup(unit: string): Promise<string> {
    const [path] = (await this.#connection.call({
      ...manager,
      member: 'GetUnit',
      signature: 's',
      body: [unit],
    })) as [string];
    const group = await this.#property(path, 'org.freedesktop.systemd1.Scope', 'ControlGroup');
    if (typeof group === 'string' && group.startsWith('/')) return group;
    throw new Error(`systemd names no cgroup of ${unit}`);
  }

  async #property(path: string, from: string, name: string): Promise<DbusValue> {
    const [variant] = (await this.#connection.call({
      destination: systemd.destination,
      path,
      interface: properties,
      member: 'Get',
      signature: 'ss',
      body: [from, name],
    })) as [DbusVariant];
    return variant.value;
  }
}

async function withManager<T>(
  what: string,
  plan: ScopePlan,
  { timeoutMs = 30_000, socket = busSocket(plan.bus) }: ScopeOptions,
  action: (systemdManager: SystemdManager) => Promise<T>,
): Promise<T> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    if (socket === undefined) throw new Error('this user has no bus: XDG_RUNTIME_DIR is not set');
    const [systemdManager, connection] = await SystemdManager.of(socket, signal);
    using _ = connection;
    return await action(systemdManager);
  } catch (cause) {
    const { message, code, syscall } = cause as NodeJS.ErrnoException;
    throw new CgroupError({
      field: 'linux.cgroupsPath',
      path: socket?.replace('\0', '@') ?? '',
      message: `${what}: ${message}`,
      ...(syscall === undefined ? {} : { syscall }),
      cause,
      hint: signal.aborted
        ? 'systemd did not answer in time; `systemctl list-jobs` tells what it waits for.'
        : hintFor(cause, code),
    });
  }
}

function hintFor(cause: unknown, code: string | undefined): string {
  if (cause instanceof DbusCallError) {
    return cause.errorName.endsWith('ServiceUnknown')
      ? 'No systemd answers on that bus: launch with the cgroupfs driver where another init runs.'
      : 'Look into the journal of systemd for this unit.';
  }
  return code === 'ENOENT' || code === 'ECONNREFUSED' || code === undefined
    ? 'The systemd driver needs a running systemd and its D-Bus socket: launch with the cgroupfs driver where there is none.'
    : 'Only root, or the user of that service manager, may ask for a scope.';
}
