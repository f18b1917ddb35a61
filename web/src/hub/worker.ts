/** The hub in a SharedWorker: every tab of the session is a port of it. */
import { Hub } from './hub';
import type { PortLike } from './messages';
import { openSocket, unpack, whenReleased } from './platform';

const scope = globalThis as unknown as {
  onconnect: ((event: { ports: readonly [PortLike] }) => void) | null;
  close(): void;
};

const hub = new Hub({
  open: openSocket,
  unpack,
  whenReleased,
  // A worker without tabs would keep its socket for as long as the browser cares to keep the worker.
  idle: () => scope.close(),
});

scope.onconnect = (event) => hub.attach(event.ports[0]);
