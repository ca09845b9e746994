import { describe, expect, it } from 'vitest';
import { fcntlGetfd, fcntlGetfl } from './libc/fcntl.ts';
import { socketType } from './libc/getsockopt.ts';
import { socketpair } from './socketpair.ts';

describe('socketpair', () => {
  it.each([
    ['stream', 1],
    ['dgram', 2],
    ['seqpacket', 5],
  ] as const)('socketpair makes blocking, close-on-exec %s sockets', (name, type) => {
    const [a, b] = socketpair(name);
    for (const owned of [a, b]) {
      using socket = owned;
      expect(socketType(socket.fd)).toBe(type);
      expect(fcntlGetfd(socket.fd)).toBe(1);
      expect(fcntlGetfl(socket.fd) & 0o4000).toBe(0);
    }
  });
});
