/** Which service manager: that of the machine, or that of the user. */
export type BusKind = 'system' | 'user';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The socket of the bus, as a path for `net.connect`; abstract names begin with NUL.
 *
 * From DBUS_SYSTEM_BUS_ADDRESS, or DBUS_SESSION_BUS_ADDRESS and XDG_RUNTIME_DIR, as sd-bus has it. Of several
 * addresses the first that is a Unix socket counts.
 *
 * @returns `undefined` where the user has no bus
 */
export function busSocket(
  kind: BusKind,
  environment: Environment = process.env,
): string | undefined {
  if (kind === 'system') {
    return fromAddress(environment['DBUS_SYSTEM_BUS_ADDRESS']) ?? '/run/dbus/system_bus_socket';
  }
  const runtime = environment['XDG_RUNTIME_DIR'];
  return (
    fromAddress(environment['DBUS_SESSION_BUS_ADDRESS']) ??
    (runtime === undefined || runtime === '' ? undefined : `${runtime}/bus`)
  );
}

function fromAddress(addresses: string | undefined): string | undefined {
  for (const address of (addresses ?? '').split(';')) {
    if (!address.startsWith('unix:')) continue;
    const values = new Map(
      address
        .slice('unix:'.length)
        .split(',')
        .map((pair): [string, string] => {
          const at = pair.indexOf('=');
          return [pair.slice(0, at), unescapeValue(pair.slice(at + 1))];
        }),
    );
    const abstract = values.get('abstract');
    const socket = values.get('path') ?? (abstract === undefined ? undefined : `\0${abstract}`);
    if (socket !== undefined) return socket;
  }
  return undefined;
}

/** D-Bus specification, "Server Addresses": %xx for what is not plain. */
const unescapeValue = (text: string): string =>
  Buffer.from(
    text.replaceAll(/%([0-9a-f]{2})/gi, (_, digits: string) =>
      String.fromCodePoint(Number.parseInt(digits, 16)),
    ),
    'latin1',
  ).toString();
