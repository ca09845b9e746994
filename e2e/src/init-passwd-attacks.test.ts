// A hostile image's /etc/passwd, which is read when the configuration gives no HOME.
import { execFileSync } from 'node:child_process';
import { rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { missing, runIn } from './init-bundle.ts';

const lacking = missing('root', 'busybox-static');

describe.skipIf(lacking !== '')(`an image whose passwd file is hostile${lacking}`, () => {
  const bundle = useCleanBundle();
  const passwd = (): string => join(bundle.rootfs, 'etc/passwd');

  async function homeWith(
    plant: () => void,
    change?: Parameters<typeof runIn>[2],
  ): Promise<string> {
    rmSync(passwd(), { force: true });
    plant();
    const { stdout, stderr } = await runIn(
      bundle,
      'echo $HOME',
      (spec) => {
        spec.process.env = ['PATH=/bin'];
        change?.(spec);
      },
      { launchTimeoutMs: 20_000 },
    );
    expect(stderr).toBe('');
    return stdout.trim();
  }

  it('a list of users as it should be gives HOME', async () => {
    const plant = (): void => writeFileSync(passwd(), 'root:x:0:0::/root:/bin/sh\n');
    expect(await homeWith(plant)).toBe('/root');
  });

  it('launch does not wait for the writer of a fifo', async () => {
    expect(await homeWith(() => void execFileSync('mkfifo', [passwd()]))).toBe('/');
  });

  it.each(['zero', 'tty', 'full'])('launch reads nothing from the device %s', async (name) => {
    expect(await homeWith(() => symlinkSync(`/dev/${name}`, passwd()))).toBe('/');
  });

  it('launch reads nothing from a device node of the image', async () => {
    const plant = (): void => void execFileSync('mknod', [passwd(), 'c', '1', '5']);
    expect(await homeWith(plant)).toBe('/');
  });

  it('launch reads a bounded part of a huge file', async () => {
    const plant = (): void => {
      writeFileSync(passwd(), '');
      truncateSync(passwd(), 2 ** 40);
    };
    expect(await homeWith(plant)).toBe('/');
  });

  it('launch finds its user at the beginning of a huge file', async () => {
    const plant = (): void => {
      writeFileSync(passwd(), 'root:x:0:0::/root:/bin/sh\n');
      truncateSync(passwd(), 2 ** 40);
    };
    expect(await homeWith(plant)).toBe('/root');
  });

  it('launch follows no link into /proc', async () => {
    expect(await homeWith(() => symlinkSync('/proc/self/fd/0', passwd()))).toBe('/');
  });
});
