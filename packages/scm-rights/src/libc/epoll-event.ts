/** One event of epoll(7): a set of EPOLL… bits and the 64 bits that were registered with the descriptor. */
export interface EpollEvent {
  events: number;
  data: bigint;
}

/** Bytes and data offset of `struct epoll_event`. Packed on x86-64, and only there. */
export interface EpollEventLayout {
  size: number;
  dataOffset: number;
}

export const EPOLL_EVENT_LAYOUT: EpollEventLayout = epollEventLayout(process.arch);

/** The layout on an architecture, in Node's name for it. */
export function epollEventLayout(arch: string): EpollEventLayout {
  return arch === 'x64' ? { size: 12, dataOffset: 4 } : { size: 16, dataOffset: 8 };
}

/** The bytes of one event. */
export function encodeEpollEvent(
  { events, data }: EpollEvent,
  layout: EpollEventLayout = EPOLL_EVENT_LAYOUT,
): Uint8Array {
  const bytes = new Uint8Array(layout.size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, events, true);
  view.setBigUint64(layout.dataOffset, data, true);
  return bytes;
}

/** The first `count` events in `bytes`. */
export function decodeEpollEvents(
  bytes: Uint8Array,
  count: number,
  layout: EpollEventLayout = EPOLL_EVENT_LAYOUT,
): EpollEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, index) => ({
    events: view.getUint32(index * layout.size, true),
    data: view.getBigUint64(index * layout.size + layout.dataOffset, true),
  }));
}
