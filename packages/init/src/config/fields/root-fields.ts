import { honoured, ignored, rows, type SpecField } from './spec-field.ts';

const inside = 'e2e/src/init-inside.test.ts';
const mountsTest = 'e2e/src/init-mounts.test.ts';
const mounts = honoured('src/plan/mounts.ts', mountsTest);
const mountMappings = honoured(
  'src/parent/answer-mount-please.ts',
  mountsTest,
  'a file system with id-mapped mounts',
);
const metadata = ignored(
  'it is for other programs to read: no annotation changes a launch (config.md, Annotations)',
);

/** What describes the container as a whole. */
export const rootFields = (): SpecField[] => [
  ...rows(
    honoured('src/config/oci-spec-schema.ts', 'packages/init/src/config/load-bundle.test.ts'),
    { '1.0.0': ['ociVersion'] },
  ),
  ...rows(honoured('src/child/rootfs/prepare-root.ts', 'e2e/src/init-failures.test.ts'), {
    '1.0.0': ['root.path'],
  }),
  ...rows(honoured('src/child/stages.ts', inside), { '1.0.0': ['root.readonly'] }),
  ...rows(mounts, {
    '1.0.0': ['mounts[].destination', 'mounts[].type', 'mounts[].source'],
  }),
  ...rows(honoured('src/plan/mount-options.ts', mountsTest), { '1.0.0': ['mounts[].options'] }),
  ...rows(mountMappings, {
    '1.1.0': [
      'mounts[].uidMappings[].containerID',
      'mounts[].uidMappings[].hostID',
      'mounts[].uidMappings[].size',
      'mounts[].gidMappings[].containerID',
      'mounts[].gidMappings[].hostID',
      'mounts[].gidMappings[].size',
    ],
  }),
  ...rows(honoured('src/child/stages.ts', inside), {
    '1.0.0': ['hostname'],
    '1.1.0': ['domainname'],
  }),
  ...rows(metadata, { '1.0.0': ['annotations'] }),
];
