import {
  bootstrapLayouts,
  ChildAnswerReader,
  decodeBootstrap,
  encodeBootstrap,
  type BootstrapLayoutName,
} from '../../src/bootstrap.ts';
import {
  decodeGenericError,
  dialects,
  encodeGenericError,
  JsonStreamDecoder,
  type StreamDialect,
} from '../../src/dialects.ts';
import {
  decodeInitError,
  decodeMountFd,
  decodeMountPlease,
  decodePacket,
  decodeSeccompFd,
  encodeInitError,
  encodeMountFd,
  encodeMountPlease,
  encodePacket,
  encodeSeccompFd,
  parseExactJson,
  rawMembers,
  stringifyExactJson,
} from '../../src/index.ts';
import {
  decodeInitConfig,
  encodeInitConfig,
  type InitConfigLayout,
} from '../../src/init-config.ts';
import {
  parseTranscript,
  renderTranscript,
  stringifyTranscriptLine,
} from '../../src/transcript.ts';

/** A decoder, what to feed it, and what must hold for what it accepts. */
export type FuzzTarget = {
  readonly name: string;
  readonly corpus: readonly Uint8Array[];
  /** Throws an error of this package for what it refuses, any other when something is wrong. */
  readonly run: (bytes: Uint8Array, random: () => number) => void;
};

const maxObjectBytes = 2000;

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function requireEqual(received: unknown, expected: unknown): void {
  // A lone surrogate is written as the escape of U+FFFD, and read back as the character.
  const [one, other] = [received, expected].map((value) =>
    stringifyExactJson(value as never).replaceAll(/\\+ufffd/g, '\ufffd'),
  );
  if (one !== other) throw new TypeError(`accepted, but changed: ${one} became ${other}`);
}

/** A codec of text: what is accepted and written again must be accepted as the same. */
function textTarget<Value>(
  name: string,
  corpus: readonly string[],
  decode: (text: string) => Value,
  encode: (value: Value) => string,
): FuzzTarget {
  return {
    name,
    corpus: corpus.map(utf8),
    run: (bytes) => {
      const value = decode(textOf(bytes));
      requireEqual(decode(encode(value)), value);
    },
  };
}

const errorText =
  '{"Timestamp":"2026-11-21T23:43:36.2Z","ECode":10,"Cause":"","Message":"x","Stack":{"Frames":[{"File":"a.go","Function":"f","Package":"p","Line":1}]}}';
const mountText =
  '{"source":"/src","destination":"/mnt","device":"bind","flags":20480,"propagation_flags":[1],"rec_attr":{"Attr_set":18446744073709551615},"id_mapping":{"recursive":true,"uid_mappings":[{"container_id":0,"host_id":1,"size":1}]}}';

const packets = [
  '{"type":"procHooks","flags":0}',
  '{"type":"procError","flags":0,"arg":{"message":"ä \\u003c"}}',
  '{"type":"procMountFd","flags":1,"arg":{"type":"plain-open"}}',
  '{"type":"procSeccomp","flags":0,"arg":6}',
  '{"message":"bad config"}',
];

const messageTargets: readonly FuzzTarget[] = [
  {
    name: 'decodePacket',
    corpus: packets.map(utf8),
    run: (bytes) => {
      const message = decodePacket(bytes);
      requireEqual(decodePacket(encodePacket(message)), message);
    },
  },
  textTarget(
    'decodeInitError',
    ['{"message":"x","extra":[1]}', errorText],
    decodeInitError,
    encodeInitError,
  ),
  textTarget('decodeMountPlease', [mountText], decodeMountPlease, encodeMountPlease),
  textTarget('decodeMountFd', ['{"type":"open_tree"}'], decodeMountFd, encodeMountFd),
  textTarget('decodeSeccompFd', ['6', '2147483647'], decodeSeccompFd, encodeSeccompFd),
  textTarget('decodeGenericError', [errorText], decodeGenericError, encodeGenericError),
  textTarget(
    'parseExactJson',
    [mountText, errorText, '[1.5,-0,1e3,"\\ud83d"]'],
    parseExactJson,
    stringifyExactJson,
  ),
  {
    name: 'rawMembers',
    corpus: [utf8(mountText), utf8(errorText)],
    run: (bytes) => void rawMembers(textOf(bytes)),
  },
];

const streamTargets: readonly FuzzTarget[] = Object.values(dialects)
  .filter(({ framing }) => framing === 'stream')
  .map((each) => {
    const dialect = each as unknown as StreamDialect;
    const messages = Object.keys(dialect.types)
      .filter((type) => !['procError', 'error', 'execPid', 'execStatus'].includes(type))
      .map((type) => dialect.message(type, type === 'procSeccomp' ? 5 : undefined));
    messages.push(dialect.failure('ä "x" \u2028'));
    const corpus = messages.flatMap((message) => dialect.encode(message));
    if (dialect.name === 'embedshim') {
      corpus.push(utf8('{"type":"execStatus","pid":0,"exited":true,"exited_status":256}'));
    }
    return {
      name: `the stream of ${dialect.name}`,
      corpus,
      run: (bytes, random) => {
        const decoder = new JsonStreamDecoder({ maxObjectBytes });
        let at = 0;
        while (at < bytes.length) {
          const size = 1 + Math.floor(random() * 40);
          decoder.push(bytes.subarray(at, at + size), (object) => roundTrip(dialect, object));
          if (decoder.bufferBytes > maxObjectBytes) {
            throw new TypeError(`the decoder holds ${decoder.bufferBytes} bytes`);
          }
          at += size;
        }
        decoder.end();
      },
    };
  });

function roundTrip(dialect: StreamDialect, object: string): void {
  const message = dialect.decode(object);
  if (dialect.payloadFollows(message)) {
    dialect.withPayload(message, object);
    return;
  }
  const [first = new Uint8Array(0)] = dialect.encode(message);
  requireEqual(dialect.decode(textOf(first).trim()), message);
}

const bootstrapTargets: readonly FuzzTarget[] = (
  Object.keys(bootstrapLayouts) as BootstrapLayoutName[]
).map((layout) => {
  const { numbers, namesNamespaces } = bootstrapLayouts[layout];
  const idMappings = [{ containerId: 0, hostId: 100_000, size: 65_536 }];
  const all = {
    pid: 5,
    cloneFlags: 0x6c02_0000,
    consolePath: '/dev/pts/1',
    nsPaths: [namesNamespaces ? { type: 'net' as const, path: '/n' } : { path: '/n' }],
    uidMappings: idMappings,
    gidMappings: idMappings,
    uidMapPath: '/usr/bin/newuidmap',
    gidMapPath: '/usr/bin/newgidmap',
    setgroups: true,
    oomScoreAdj: -5,
    rootlessEuid: true,
    mountSources: ['', '/volumes/a'],
    timeOffsets: [{ clock: 'boottime' as const, secs: -7n, nanosecs: 1 }],
  };
  const known = Object.entries(all).filter(([member]) => Object.hasOwn(numbers, member));
  const small = { ...('pid' in numbers && { pid: 1 }) };
  return {
    name: `decodeBootstrap of ${layout}`,
    corpus: [encodeBootstrap(Object.fromEntries(known), layout), encodeBootstrap(small, layout)],
    // What a foreign writer may have left out or put in another order is not written back as it was.
    run: (bytes) => void decodeBootstrap(bytes, layout),
  };
});

const answerTarget: FuzzTarget = {
  name: 'ChildAnswerReader',
  corpus: [
    '\0{"stage1_pid":122,"stage2_pid":123}\n',
    '{"pid": 123, "pid_first": 122}\n',
    '{ "pid" : 1 }\n',
  ].map(utf8),
  run: (bytes, random) => {
    const reader = new ChildAnswerReader();
    for (let at = 0; at < bytes.length;) {
      const size = 1 + Math.floor(random() * 20);
      if (reader.push(bytes.subarray(at, at + size)) !== undefined) return;
      at += size;
    }
    reader.end();
  },
};

const configText: Readonly<Record<InitConfigLayout, string>> = {
  'runc-1.1': encodeInitConfig(
    {
      args: ['/bin/true'],
      user: '0:0',
      rlimits: [{ type: 7, hard: 2n ** 64n - 1n, soft: 1 }],
      config: { mounts: [{ source: 'proc' }], sysctl: { a: 'b' }, cgroups: { memory: 1 } },
    },
    'runc-1.1',
  ),
  'runc-1.5': encodeInitConfig(
    {
      args: ['/bin/true'],
      uid: 0,
      config: {
        mounts: [{ source: 'proc', id_mapping: { recursive: true } }],
        Hooks: { poststop: [{ path: '/x', timeout: 3_000_000_000 }] },
        time_offsets: { boottime: { secs: -(2n ** 63n) } },
      },
    },
    'runc-1.5',
  ),
};

const configTargets = (Object.keys(configText) as InitConfigLayout[]).map((layout): FuzzTarget => ({
  name: `decodeInitConfig of ${layout}`,
  corpus: [configText[layout], '{"args":null,"config":{"mounts":[null]}}'].map(utf8),
  run: (bytes) => {
    // Absent members come back as the zero values that were written: compare what is written.
    const written = encodeInitConfig(decodeInitConfig(textOf(bytes), layout), layout);
    requireEqual(encodeInitConfig(decodeInitConfig(written, layout), layout), written);
  },
}));

const time = '2026-01-02T03:04:05.000Z';
const transcriptTarget: FuzzTarget = {
  name: 'parseTranscript and renderTranscript',
  corpus: [
    [
      `{"event":"begin","format":1,"time":"${time}","dialect":"runc-1.2","recordedBy":"parent"}`,
      `{"event":"data","time":"${time}","from":"child","raw":"e30=","messages":[{"type":"procSeccomp","flags":0,"arg":"6"}],"fds":[{"fd":3,"kind":"x"}]}`,
      `{"event":"failure","time":"${time}","from":"parent","code":"X","message":"y"}`,
      `{"event":"end","time":"${time}","from":"child"}`,
    ].join('\n'),
  ].map(utf8),
  run: (bytes) => {
    const lines = parseTranscript(textOf(bytes));
    renderTranscript(lines);
    const again = parseTranscript(lines.map(stringifyTranscriptLine).join('\n'));
    requireEqual(again, lines);
  },
};

/** Every decoder of the package. */
export const fuzzTargets: readonly FuzzTarget[] = [
  ...messageTargets,
  ...streamTargets,
  ...bootstrapTargets,
  answerTarget,
  ...configTargets,
  transcriptTarget,
];
