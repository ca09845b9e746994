/** Is told of every OwnedFd while it observes; for finding leaks in tests. */
export interface OwnedFdObserver {
  /** A number was taken over. */
  opened(owned: object, fd: number, role: string): void;
  /** It was closed or given away. */
  released(owned: object): void;
  /** It came from outside, for a call that was made where `site` was made. */
  attributed(owned: object, site: Error): void;
}

const observers = new Set<OwnedFdObserver>();

/** Lets `observer` be told until the result is disposed of. */
export function observeOwnedFds(observer: OwnedFdObserver): Disposable {
  observers.add(observer);
  return { [Symbol.dispose]: () => void observers.delete(observer) };
}

/** Called by every new OwnedFd. */
export function reportOpened(owned: object, fd: number, role: string): void {
  for (const observer of observers) observer.opened(owned, fd, role);
}

/** Called when an OwnedFd has no number any more. */
export function reportReleased(owned: object): void {
  for (const observer of observers) observer.released(owned);
}

/** Remembers who calls, if anybody observes: what the call yields will be made when its caller is on the stack no more. */
export function callSite(): Error | undefined {
  return observers.size === 0 ? undefined : new Error('call site');
}

/** Says which call yielded `fds`. */
export function attributeFds(fds: Iterable<object>, site: Error | undefined): void {
  if (site === undefined) return;
  for (const owned of fds) {
    for (const observer of observers) observer.attributed(owned, site);
  }
}
