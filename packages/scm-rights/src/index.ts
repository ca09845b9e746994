export { BorrowedFd } from './borrowed-fd.ts';
export {
  ControlTruncatedError,
  EmptyPacketError,
  EnvironmentError,
  FdClosedError,
  FdLeakError,
  FileNameTooLongError,
  InvalidArgumentError,
  InvalidFdError,
  InvalidStringError,
  isScmRightsError,
  isSyscallError,
  type LeakedFd,
  LibcLoadError,
  LibraryLoadError,
  LockTimeoutError,
  NotATerminalError,
  PacketTooLargeError,
  PacketTruncatedError,
  PinPathError,
  ScmRightsError,
  SocketAddressError,
  SocketClosedError,
  SocketTypeError,
  SyscallError,
  syscallError,
  type SyscallOperand,
  TooManyFdsError,
  UnexpectedEofError,
  UnexpectedFdsError,
  UnsupportedPlatformError,
} from './errors.ts';
export { MAX_ADDRESS_BYTES, type UnixAddress } from './address/unix-address.ts';
export { closeAll } from './close-all.ts';
export { connectSeqpacket } from './connect/connect-seqpacket.ts';
export { connectStream } from './connect/connect-stream.ts';
export { clearOnlcr } from './console/clear-onlcr.ts';
export { ConsoleSocket } from './console/console-socket.ts';
export { getWindowSize, setWindowSize, type WindowSize } from './console/window-size.ts';
export { type Datagram, DatagramSocket, type DatagramOptions } from './datagram/datagram-socket.ts';
export { isCloseOnExec } from './close-on-exec.ts';
export { dupFd } from './dup-fd.ts';
export { type FdLike, fdNumber } from './fd-like.ts';
export { fifoWriters } from './fifo/fifo-writers.ts';
export { peekFifo } from './fifo/peek-fifo.ts';
export { mkfifo } from './fifo/mkfifo.ts';
export { MAX_FILE_NAME_BYTES, type ReceivedFile } from './file-packet.ts';
export { listenSeqpacket } from './listen/listen-seqpacket.ts';
export { listenStream } from './listen/listen-stream.ts';
export type { ListenOptions } from './listen/listening-socket.ts';
export { UnixServer, type UnixServerEvents } from './listen/unix-server.ts';
export { koffiModulePath, type Libc, loadLibc, type LoadLibcOptions } from './libc/library.ts';
export { flockExclusive, type FlockOptions, flockShared, tryLock } from './lock/flock.ts';
export {
  memfdCreate,
  memfdFrom,
  memfdRead,
  memfdSeal,
  memfdSeals,
  memfdWrite,
  type Seal,
} from './memory/memfd.ts';
export { MAX_STORED_NAME, removeStoredFds, storeFds } from './notify/fd-store.ts';
export { listenFds, type PassedFd } from './notify/listen-fds.ts';
export { sdNotify, type SdNotifyOptions } from './notify/sd-notify.ts';
export { sdNotifyBarrier } from './notify/sd-notify-barrier.ts';
export { openFd } from './open-fd.ts';
export { OwnedFd } from './owned-fd.ts';
export { pidfdGetfd } from './pidfd/pidfd-getfd.ts';
export { type PidfdInfo, pidfdInfo } from './pidfd/pidfd-info.ts';
export { isPidfs, pidfdInode } from './pidfd/pidfd-inode.ts';
export { pidfdOpen } from './pidfd/pidfd-open.ts';
export { pidfdSendSignal } from './pidfd/pidfd-send-signal.ts';
export { type PidfdSupport, probePidfd } from './pidfd/probe-pidfd.ts';
export { signalName, signalNumber } from './pidfd/signal.ts';
export { peekChild, reapChild } from './pidfd/wait-child.ts';
export { type PidfdState, pidfdState, waitPidfd } from './pidfd/wait-pidfd.ts';
export { decodeWaitStatus, type WaitStatus } from './pidfd/wait-status.ts';
export { isPin } from './pin/is-pin.ts';
export { mountPrivately, unmountPrivately } from './pin/mount-privately.ts';
export { openPin } from './pin/open-pin.ts';
export { pinPidfd } from './pin/pin-pidfd.ts';
export { unpin } from './pin/unpin.ts';
export { setChildSubreaper } from './process/child-subreaper.ts';
export { Readiness, readiness, type ReadinessOptions } from './readiness/readiness.ts';
export type { ReadinessKind, ReadyEvents } from './readiness/ready-events.ts';
export { readNow } from './read-now.ts';
export { receiveFile } from './receive-file.ts';
export { receiveFileBlocking } from './receive-file-blocking.ts';
export { renameExchange } from './rename-exchange.ts';
export { sendFile } from './send-file.ts';
export { sendFileBlocking } from './send-file-blocking.ts';
export { NOTHING_YET, type ReceiveOptions, SeqpacketSocket } from './seqpacket-socket.ts';
export { setNonblocking } from './set-nonblocking.ts';
export { socketpair, type SocketType } from './socketpair.ts';
export { type PeerCredentials, peerCredentials, peerPidfd } from './stream/peer.ts';
export { UnixStream, type UnixStreamOptions } from './stream/unix-stream.ts';
export { type NamedFile, SyncSocket } from './sync-socket.ts';
export type { Packet } from './take-packet.ts';
