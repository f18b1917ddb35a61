/** The server's clock, from the ping with the shortest way there and back among the last five. */

const KEPT = 5;

export class ClockOffset {
  #samples: { rtt: number; offset: number }[] = [];

  /** All in milliseconds of the local wall clock, but `serverMs`. */
  sample(sentMs: number, receivedMs: number, serverMs: number): void {
    const rtt = receivedMs - sentMs;
    // A negative way means the local clock was set back in between: the sample says nothing.
    if (rtt < 0) return;
    this.#samples.push({ rtt, offset: serverMs - (sentMs + rtt / 2) });
    if (this.#samples.length > KEPT) this.#samples.shift();
  }

  /** Forget what was measured before the machine slept or the network changed. */
  reset(): void {
    this.#samples = [];
  }

  /** server clock − local wall clock; `null` before the first pong. */
  get offset(): number | null {
    let best: { rtt: number; offset: number } | null = null;
    for (const one of this.#samples) if (!best || one.rtt < best.rtt) best = one;
    return best ? best.offset : null;
  }
}
