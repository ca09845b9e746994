const word = new Int32Array(new SharedArrayBuffer(4));

/**
 * Wakes this process's event loop, so that nothing in a child forked before its next turn tries to.
 *
 * V8 posts tasks to the event loop, for one when it collects garbage, and libuv then writes to a
 * descriptor of its own; it aborts where that fails. In a child that descriptor is closed, or
 * something else has its number. But a loop that has been woken is not woken again before it has
 * run (uv_async_send, "coalesced"), and a child's never runs.
 *
 * A wait that times out is a task with no other effect: Node wakes the loop for it at once.
 */
export function wakeEventLoop(): void {
  Atomics.waitAsync(word, 0, 0, 1);
}
