/** What the hub needs of the browser, the same in a worker and in a page. */
import type { SocketLike } from './connection';
import { SUBPROTOCOL } from './protocol';

export function openSocket(): SocketLike {
  const url = new URL('/ws', globalThis.location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return new WebSocket(url, SUBPROTOCOL) as unknown as SocketLike;
}

/** Queues for a lock that its tab holds for life: being granted it means that the tab is gone. */
export function whenReleased(lock: string, gone: () => void): void {
  void navigator.locks?.request(lock, () => gone());
}
