/** The server's clock. Ages tick once a second; between measurements only `performance.now()` is trusted. */

class ServerClock {
  /** Server time, refreshed each second while the page is visible: what ages are drawn from. */
  now = $state(Date.now());
  #base = Date.now() - performance.now();

  constructor() {
    setInterval(() => {
      if (document.visibilityState === 'visible') this.now = this.exact();
    }, 1000);
    document.addEventListener('visibilitychange', () => (this.now = this.exact()));
  }

  /** `offsetMs` = server clock − local wall clock, measured by the hub on the same machine. */
  adjust(offsetMs: number): void {
    this.#base = Date.now() + offsetMs - performance.now();
    this.now = this.exact();
  }

  exact(): number {
    return Math.round(this.#base + performance.now());
  }
}

export const clock = new ServerClock();
