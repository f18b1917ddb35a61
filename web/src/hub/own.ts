/** The hub in a page of its own, for browsers without shared workers. */
import { Hub } from './hub';
import { openSocket, unpack } from './platform';

export function serve(port: MessagePort): void {
  const hub = new Hub({ open: openSocket, unpack, whenReleased: () => {}, idle: () => port.close() });
  hub.attach(port as never);
  port.start();
}
