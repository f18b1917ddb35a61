/** The hub in a page of its own, for browsers without shared workers. */
import { Hub } from './hub';
import { openSocket, unpack } from './platform';

export function serve(port: MessagePort): void {
  const hub = new Hub({ open: openSocket, unpack, whenReleased: () => {}, idle: () => port.close() });
  hub.attach(port as never);
  port.start();
  // A page that is left may stand still before what it says to itself has arrived, with its socket open.
  addEventListener('pagehide', () => port.onmessage?.({ data: { kind: 'bye' } } as MessageEvent), { once: true });
}
