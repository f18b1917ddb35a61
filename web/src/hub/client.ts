/**
 * A tab's end of the hub: finds or makes the worker, keeps it honest, falls back to a hub of its own.
 */
import workerUrl from './worker?sharedworker&url';
import type { HubMessage, TabMessage } from './messages';

const PING_MS = 5_000;
const PONG_MS = 3_000;
/** The worker's script has to travel before it can ask who we are. */
const WHO_MS = 10_000;
/** A worker that died this often in a row is not worth another try. */
const TRIES = 2;
/** What may be the first press of a visit. */
const PRESSES = ['pointerup', 'keydown', 'click'] as const;

type TabPort = {
  postMessage(message: TabMessage): void;
  onmessage: ((event: MessageEvent<HubMessage>) => void) | null;
  close(): void;
};

/** Trusted Types: the page makes one script URL, the worker's, and this policy lets nothing else by. */
const policy = (globalThis as { trustedTypes?: TrustedTypesLike }).trustedTypes?.createPolicy('hub', {
  createScriptURL(url: string) {
    if (url !== workerUrl) throw new TypeError('not the hub');
    return url;
  },
});
type TrustedTypesLike = {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): {
    createScriptURL(url: string): string;
  };
};

export class HubClient {
  readonly #tab = randomId();
  readonly #lock = `orderboard-tab-${this.#tab}`;
  #port: TabPort | null = null;
  #board: string | null = null;
  #boot: string | null = null;
  #pings = 0;
  #pingTimer: ReturnType<typeof setInterval> | undefined;
  #pongTimer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #stopped = false;
  #releaseLock: (() => void) | undefined;
  /** What the present worker holds for life. */
  #hubLock: string | null = null;
  /** Ends the wait for the present worker's end. */
  #vigil: AbortController | undefined;

  /** `name` tells sessions apart: signing in or out must not talk to the other session's worker. */
  constructor(
    private readonly name: string,
    private readonly heard: (message: HubMessage) => void,
    private readonly lostWorker: () => void,
  ) {}

  async start(): Promise<void> {
    await this.#takeLock();
    if (this.#stopped) return this.#releaseLock?.();
    this.#connect();
    document.addEventListener('visibilitychange', this.#seen);
    document.addEventListener('resume', this.#seen);
    addEventListener('online', this.#online);
    for (const kind of PRESSES) addEventListener(kind, this.#pressed, { capture: true, passive: true });
    addEventListener('beforeunload', this.#leaving);
    addEventListener('pagehide', this.#hidden);
    addEventListener('pageshow', this.#shown);
    this.#pingTimer = setInterval(() => this.#ping(), PING_MS);
  }

  watch(board: string | null): void {
    this.#board = board;
    this.#send({ kind: 'board', board });
  }

  stop(): void {
    this.#stopped = true;
    this.#send({ kind: 'bye' });
    this.#vigil?.abort();
    this.#port?.close();
    this.#port = null;
    clearInterval(this.#pingTimer);
    clearTimeout(this.#pongTimer);
    document.removeEventListener('visibilitychange', this.#seen);
    document.removeEventListener('resume', this.#seen);
    removeEventListener('online', this.#online);
    this.#heedNoPress();
    removeEventListener('beforeunload', this.#leaving);
    removeEventListener('pagehide', this.#hidden);
    removeEventListener('pageshow', this.#shown);
    this.#releaseLock?.();
  }

  /** Before hello: a hub that queues for a lock nobody holds yet would take the tab for dead. */
  #takeLock(): Promise<void> {
    if (!navigator.locks) return Promise.resolve();
    return new Promise((granted) => {
      void navigator.locks.request(this.#lock, () => {
        granted();
        return new Promise<void>((release) => (this.#releaseLock = release));
      });
    });
  }

  #connect(): void {
    this.#vigil?.abort();
    this.#hubLock = null;
    clearTimeout(this.#pongTimer);
    this.#pongTimer = setTimeout(() => this.#recreate(), WHO_MS);
    const port = (this.#port = this.#workerPort() ?? ownHubPort());
    port.onmessage = (event) => {
      if (this.#port === port) this.#receive(event.data);
    };
  }

  #workerPort(): TabPort | null {
    // Without locks a worker could not tell when a tab is gone.
    if (typeof SharedWorker === 'undefined' || !navigator.locks || this.#failures >= TRIES) return null;
    try {
      const url = policy ? policy.createScriptURL(workerUrl) : workerUrl;
      const worker = new SharedWorker(url, { name: this.name, type: 'module' });
      worker.onerror = () => {
        if (this.#port === worker.port) this.#recreate();
      };
      worker.port.start();
      return worker.port as TabPort;
    } catch {
      return null;
    }
  }

  #receive(message: HubMessage): void {
    if (message.kind === 'who') {
      this.#heardOfHub();
      this.#boot = message.boot;
      this.#hubLock = message.lock;
      this.#keepVigil();
      this.#hello();
      return;
    }
    if (message.kind === 'pong') {
      this.#heardOfHub();
      this.#failures = 0;
      // Another boot behind the same port: the worker was restarted and knows nothing of this tab.
      if (message.boot !== this.#boot) this.#hello();
      return;
    }
    this.heard(message);
  }

  #heardOfHub(): void {
    clearTimeout(this.#pongTimer);
    this.#pongTimer = undefined;
  }

  /** A port says nothing when its other end dies. A lock does: the worker's comes to us only when the worker is gone. */
  #keepVigil(): void {
    this.#vigil?.abort();
    if (this.#hubLock === null) return;
    const vigil = (this.#vigil = new AbortController());
    navigator.locks.request(this.#hubLock, { signal: vigil.signal }, () => {
      if (this.#vigil === vigil) this.#recreate();
    }).catch((error: unknown) => {
      if (!vigil.signal.aborted) throw error;
    });
  }

  #hello(): void {
    this.#send({ kind: 'hello', tab: this.#tab, lock: this.#lock, visible: isVisible(), touched: wasTouched(), board: this.#board });
  }

  #ping(): void {
    if (!isVisible() || this.#port === null || this.#pongTimer !== undefined) return;
    if (!this.#vigil) this.#keepVigil();
    this.#send({ kind: 'ping', n: ++this.#pings });
    this.#pongTimer = setTimeout(() => this.#recreate(), PONG_MS);
  }

  #recreate(): void {
    this.#failures += 1;
    this.#again();
  }

  #again(): void {
    if (this.#stopped) return;
    this.#part();
    this.#connect();
  }

  #part(): void {
    this.lostWorker();
    this.#port?.close();
    this.#port = null;
    this.#heardOfHub();
  }

  #send(message: TabMessage): void {
    this.#port?.postMessage(message);
  }

  readonly #seen = () => {
    this.#send({ kind: 'visible', visible: isVisible() });
    if (isVisible()) this.#ping();
  };
  #heedNoPress(): void {
    for (const kind of PRESSES) removeEventListener(kind, this.#pressed, { capture: true });
  }

  readonly #pressed = () => {
    // The press itself may not count yet (a touch that turns out to scroll): then the next one tells.
    if (!wasTouched()) return;
    this.#heedNoPress();
    this.#send({ kind: 'touched' });
  };
  readonly #online = () => this.#send({ kind: 'hurry' });
  /** A browser keeps no page for somebody's return that waits for a lock. It may also stay after all: the next ping goes on waiting. */
  readonly #leaving = () => {
    this.#vigil?.abort();
    this.#vigil = undefined;
  };
  /** Nor one that is spoken to meanwhile. */
  readonly #hidden = () => {
    this.#leaving();
    this.#send({ kind: 'bye' });
    this.#part();
    this.#releaseLock?.();
  };
  readonly #shown = async (event: PageTransitionEvent) => {
    if (!event.persisted) return;
    await this.#takeLock();
    if (this.#stopped) return this.#releaseLock?.();
    this.#connect();
  };
}

/** The same hub in this page, over a channel of its own. Few browsers need it: it is not of the first load. */
function ownHubPort(): TabPort {
  const { port1, port2 } = new MessageChannel();
  // Of another build, and gone: the page asks for a reload (vite:preloadError), and here somebody tries again.
  import('./own').then((own?: typeof import('./own')) => own?.serve(port1), () => {});
  port2.start();
  return port2 as TabPort;
}

/** Without the browser's own word for it nothing is heard. */
function wasTouched(): boolean {
  return navigator.userActivation?.hasBeenActive ?? false;
}

function isVisible(): boolean {
  return document.visibilityState === 'visible';
}

function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
