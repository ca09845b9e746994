// One build recipe for every package: the entries are what the manifest's `exports` name
// under the source condition, so that a manifest and its build cannot disagree.
import { readFileSync } from 'node:fs';
import { defineConfig, type UserConfig } from 'tsdown';

/** Resolves to the sources in tests and editors. */
const SOURCE = '@pilotlight/source';
/** Resolved by nobody: what only ever runs as it was built, such as a program that we start. */
const BUILT_FROM = '@pilotlight/built-from';

type ExportTarget = string | Record<string, string>;

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Record<string, ExportTarget>;
  bin?: Record<string, string>;
};

const esm: Record<string, string> = {};
/** Programs of ours in ESM, which run for long and in little memory. */
const programs: Record<string, string> = {};
const cjs: Record<string, string> = {};
/** Programs that nobody imports: they have no types. */
const untyped: string[] = [];

for (const [entry, target] of Object.entries(manifest.exports)) {
  if (typeof target === 'string') continue;
  const source = target[SOURCE] ?? target[BUILT_FROM];
  const output = target['default'];
  if (source === undefined || output === undefined) continue;
  const name = output.replace(/^\.\/dist\//, '').replace(/\.(js|cjs)$/, '');
  const isProgram = target[BUILT_FROM] !== undefined;
  (output.endsWith('.cjs') ? cjs : isProgram ? programs : esm)[name] = source;
  if (target['types'] === undefined) untyped.push(entry);
}
for (const output of Object.values(manifest.bin ?? {})) {
  const name = output.replace(/^(\.\/)?dist\//, '').replace(/\.js$/, '');
  esm[name] = `./src/${name}.ts`;
}

const shared: UserConfig = {
  platform: 'node',
  target: 'node22.18',
  cwd: process.cwd(),
  tsconfig: 'tsconfig.json',
  fixedExtension: false,
  sourcemap: false,
};

const configs: UserConfig[] = [
  {
    ...shared,
    entry: esm,
    format: 'esm',
    dts: { oxc: true },
    clean: true,
    publint: true,
    attw: { profile: 'esm-only', level: 'error', excludeEntrypoints: untyped },
  },
];
// Of the lower layers and of zod they take along what they use; init is loaded when it is needed.
if (Object.keys(programs).length > 0) {
  configs.push({
    ...shared,
    entry: programs,
    format: 'esm',
    dts: false,
    clean: false,
    noExternal: [/^zod/, /^@pilotlight\/(sync|scm-rights)/],
    outputOptions: { chunkFileNames: 'program-[name]-[hash].js' },
  });
}
// A `.cjs` entry runs where node_modules may be out of reach, so everything is inlined.
for (const [name, source] of Object.entries(cjs)) {
  configs.push({
    ...shared,
    entry: { [name]: source },
    format: 'cjs',
    dts: false,
    clean: false,
    noExternal: [/.*/],
    outputOptions: { codeSplitting: false },
  });
}

export default defineConfig(configs);
