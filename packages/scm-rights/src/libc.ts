/** Entry point `./libc`: system calls on plain descriptor numbers, for code that owns its process. */
export * from './libc/constants.ts';
export * from './libc/syscall-number.ts';
export {
  type FdWatch,
  koffiModulePath,
  type Libc,
  type LibcArgument,
  type LibcFunction,
  type Library,
  loadLibc,
  loadLibrary,
  type LoadLibcOptions,
  useLibc,
} from './libc/library.ts';
export { attempt, attemptSyscall, invoke, invokeSyscall, lazyFunction } from './libc/invoke.ts';
export { cString, cStringBytes } from './libc/c-string.ts';
export { tryAccept4 } from './libc/accept4.ts';
export { bind } from './libc/bind.ts';
export { close } from './libc/close.ts';
export { tryConnect } from './libc/connect.ts';
export { dup3 } from './libc/dup3.ts';
export {
  epollCreate,
  epollCtl,
  epollEventBuffer,
  epollWait,
  epollWaitAsync,
  epollWaitNow,
  tryEpollCtl,
} from './libc/epoll.ts';
export {
  decodeEpollEvents,
  encodeEpollEvent,
  EPOLL_EVENT_LAYOUT,
  type EpollEvent,
  type EpollEventLayout,
  epollEventLayout,
} from './libc/epoll-event.ts';
export { eventfd, eventfdRead, eventfdWrite } from './libc/eventfd.ts';
export {
  fcntlAddSeals,
  fcntlDupfd,
  fcntlGetfd,
  fcntlGetfl,
  fcntlGetSeals,
  fcntlSetfd,
  fcntlSetfl,
} from './libc/fcntl.ts';
export { tryFlock } from './libc/flock.ts';
export { getpeername, getsockname, SOCKADDR_UN_BYTES } from './libc/getsockname.ts';
export {
  isListening,
  peerCredentials,
  peerPidfd,
  socketDomain,
  socketType,
} from './libc/getsockopt.ts';
export { listen } from './libc/listen.ts';
export { renameat2 } from './libc/renameat2.ts';
export { memfdCreate } from './libc/memfd-create.ts';
export { type MountAttr, mountSetattr } from './libc/mount-setattr.ts';
export { mkfifo } from './libc/mkfifo.ts';
export { moveMount } from './libc/move-mount.ts';
export { open } from './libc/open.ts';
export { openTree } from './libc/open-tree.ts';
export { type PidfdGetInfo, pidfdGetInfo } from './libc/pidfd-get-info.ts';
export { pidfdGetfd } from './libc/pidfd-getfd.ts';
export { pidfdOpen } from './libc/pidfd-open.ts';
export { pidfdSendSignal } from './libc/pidfd-send-signal.ts';
export { pipe2 } from './libc/pipe2.ts';
export { poll } from './libc/poll.ts';
export { prctl } from './libc/prctl.ts';
export { read, tryRead } from './libc/read.ts';
export { tryPeekLength } from './libc/recv.ts';
export { type ReceivedMessage, recvmsg, type RecvmsgOptions, tryRecvmsg } from './libc/recvmsg.ts';
export { sendmsg, type SendmsgOptions, trySendmsg } from './libc/sendmsg.ts';
export { shutdown } from './libc/shutdown.ts';
export { socket } from './libc/socket.ts';
export { socketpair } from './libc/socketpair.ts';
export { fstatfsType, statfsType } from './libc/statfs.ts';
export { clearOutputFlags } from './libc/termios.ts';
export { tryTee } from './libc/tee.ts';
export { umount2 } from './libc/umount2.ts';
export { type WaitedChild, waitid } from './libc/waitid.ts';
export { ioctlGetWindowSize, ioctlSetWindowSize } from './libc/window-size.ts';
export { write } from './libc/write.ts';
export { receiveFileBlocking } from './receive-file-blocking.ts';
export { sendFileBlocking } from './send-file-blocking.ts';
export { isSyscallError, SyscallError, syscallError, type SyscallOperand } from './errors.ts';
