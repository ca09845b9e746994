import { describe, expect, it } from 'vitest';
import { seccompFeatures } from './features.ts';
import { installedLibseccomp } from './testing/installed.ts';

const lacking = installedLibseccomp() === undefined ? ' (needs libseccomp.so.2)' : '';

describe.skipIf(lacking !== '')(`seccompFeatures${lacking}`, () => {
  it('seccompFeatures tells what the library and the kernel can do', () => {
    const features = seccompFeatures();
    expect(features).toMatchObject({
      enabled: true,
      actions: expect.arrayContaining(['SCMP_ACT_ERRNO', 'SCMP_ACT_KILL_PROCESS']),
      operators: expect.arrayContaining(['SCMP_CMP_MASKED_EQ']),
      archs: expect.arrayContaining(['SCMP_ARCH_AARCH64', 'SCMP_ARCH_X86_64']),
      libraryVersion: expect.stringMatching(/^2\.\d+\.\d+$/),
    });
    expect(features.operators).toHaveLength(7);
    // Linux 5.12, which everything here needs, has these.
    expect(features.supportedFlags).toEqual(
      expect.arrayContaining([
        'SECCOMP_FILTER_FLAG_TSYNC',
        'SECCOMP_FILTER_FLAG_LOG',
        'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
      ]),
    );
    expect(features.knownFlags).toEqual(expect.arrayContaining(features.supportedFlags));
  });
});
