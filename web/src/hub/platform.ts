/** What the hub needs of the browser, the same in a worker and in a page. */
import type { SocketLike } from './connection';
import type { Unpack } from './inbox';
import { SUBPROTOCOL } from './protocol';

export function openSocket(): SocketLike {
  const url = new URL('/ws', globalThis.location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url, SUBPROTOCOL);
  socket.binaryType = 'arraybuffer';
  return socket as unknown as SocketLike;
}

/** Nothing where the browser cannot: then the board is asked for as it is. */
export const unpack: Unpack | null =
  typeof DecompressionStream === 'undefined'
    ? null
    : (packed) => new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))).text();

/** Takes a lock for as long as this worker or page lives; resolves when it is held. */
export function holdForLife(lock: string): Promise<void> {
  return new Promise((held) => {
    void navigator.locks.request(lock, () => {
      held();
      return new Promise<never>(() => {});
    });
  });
}

/** Queues for a lock that its tab holds for life: being granted it means that the tab is gone. */
export function whenReleased(lock: string, gone: () => void): void {
  void navigator.locks?.request(lock, () => gone());
}
