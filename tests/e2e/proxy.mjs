// A network between the browser and the server that does what networks do: forwards, resets, swallows, is unplugged, is slow.
// It knows bytes only, so that everything it does to a page a real network could do.
import { connect, createServer } from 'node:net';

export class Proxy {
  #pairs = new Set();
  #mode = 'open';
  #delayMs = 0;

  /** Forwards to the server from a port of its own; `url` is where the browser goes. */
  static async before(server) {
    const proxy = new Proxy();
    const { hostname, port } = new URL(server.url);
    proxy.listener = createServer((client) => proxy.#join(client, () => connect(Number(port), hostname)));
    await new Promise((resolve) => proxy.listener.listen(0, '127.0.0.1', resolve));
    proxy.url = `http://127.0.0.1:${proxy.listener.address().port}`;
    return proxy;
  }

  /** Everything is reset, and whoever comes is too, until `heal`. */
  reset() {
    this.#mode = 'reset';
    for (const pair of this.#pairs) pair.end();
  }

  /** Bytes vanish both ways, connections stay: a NAT that forgot, a tunnel that fell. What was sent meanwhile never arrives. */
  swallow() {
    this.#mode = 'swallow';
    for (const pair of this.#pairs) pair.lost = true;
  }

  /** Nothing moves; what was sent waits where it is and goes on when the cable is back, as TCP has it. */
  unplug() {
    this.#mode = 'unplugged';
    for (const pair of this.#pairs) pair.pause();
  }

  /** Every chunk takes so long each way; 0 is no delay. */
  slow(ms) {
    this.#delayMs = ms;
  }

  heal() {
    this.#mode = 'open';
    for (const pair of this.#pairs) pair.resume();
  }

  /** The network is gone with all that it held, also what one end has not noticed yet. */
  async close() {
    for (const pair of this.#pairs) pair.end();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  #join(client, dial) {
    if (this.#mode === 'reset') return void client.resetAndDestroy();
    const server = dial();
    const pair = {
      lost: this.#mode === 'swallow',
      end: () => [client, server].forEach((socket) => socket.resetAndDestroy()),
      pause: () => [client, server].forEach((socket) => socket.pause()),
      resume: () => [client, server].forEach((socket) => socket.resume()),
    };
    this.#pairs.add(pair);
    for (const [from, to] of [[client, server], [server, client]]) {
      from.setNoDelay(true);
      from.on('data', (bytes) => this.#carry(pair, to, () => to.write(bytes)));
      from.on('end', () => this.#carry(pair, to, () => to.end()));
      from.on('error', () => {});
      from.on('close', () => {
        if (to.destroyed) this.#pairs.delete(pair);
        else if (!pair.lost) this.#later(() => to.destroy());
      });
    }
    if (this.#mode === 'unplugged') pair.pause();
  }

  #carry(pair, to, act) {
    if (pair.lost) return;
    this.#later(() => {
      if (!to.destroyed && !to.writableEnded) act();
    });
  }

  /** Timers of one length fire in the order they were set, so that nothing overtakes. */
  #later(act) {
    if (this.#delayMs > 0) setTimeout(act, this.#delayMs);
    else act();
  }
}
