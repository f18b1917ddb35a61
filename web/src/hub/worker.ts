/** The hub in a SharedWorker: every tab of the session is a port of it. */
import { Hub } from './hub';
import type { PortLike } from './messages';
import { holdForLife, openSocket, unpack, whenReleased } from './platform';

/**
 * A worker without tabs would stay for as long as the browser cares to keep it. But a page that is loaded again leaves
 * before it comes, and must not meet a worker in the middle of closing.
 */
const LINGER_MS = 3_000;

const scope = globalThis as unknown as {
  onconnect: ((event: { ports: readonly [PortLike] }) => void) | null;
  close(): void;
};

const lock = `orderboard-hub-${Math.random().toString(36).slice(2)}`;
// Held before the first tab is asked who it is: a tab queues for it to learn at once that this worker is gone.
const held = holdForLife(lock);

const hub = new Hub({
  open: openSocket,
  unpack,
  whenReleased,
  lock,
  idle: linger,
});

function linger(): void {
  const since = Date.now();
  setTimeout(() => {
    if (!hub.deserted) return;
    // Far too late: it stood still with a page that the browser kept, and was woken because somebody came back to that.
    if (Date.now() - since > 2 * LINGER_MS) linger();
    else scope.close();
  }, LINGER_MS);
}

scope.onconnect = (event) => void held.then(() => hub.attach(event.ports[0]));
