/**
 * One websocket's life: open, listen for silence, lose it, come back.
 * It knows frames and time, nothing of boards or tabs.
 */
import { Backoff, drainMs } from './backoff';
import { ClockOffset } from './clock';
import { Inbox, type Unpack } from './inbox';
import {
  CLOSE_SESSION_ENDED, CLOSE_SILENT, parseFrame, type ClientFrame, type HelloFrame, type ServerFrame,
} from './protocol';

/** The part of WebSocket used here; tests give their own. */
export type SocketLike = {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  onerror: (() => void) | null;
  send(text: string): void;
  close(code?: number): void;
};

export type ConnectionEvents = {
  hello(frame: HelloFrame): void;
  frame(frame: ServerFrame): void;
  /** A binary message could not be unpacked: what it said is lost. */
  unreadable(): void;
  lost(): void;
  ended(): void;
  clock(offsetMs: number): void;
};

/** Before the server has told its heartbeat. Also bounds how long a handshake may take. */
const FIRST_SILENCE_MS = 6_000;
const PINGS = 5;
const PING_GAP_MS = 200;
const REPING_MS = 60_000;

export class Connection {
  /** Wall clock of the last frame: how old the page's knowledge is. */
  lastFrameMs = 0;
  #socket: SocketLike | null = null;
  #live = false;
  #closed = false;
  #silenceLimitMs = FIRST_SILENCE_MS;
  readonly #backoff = new Backoff();
  readonly #clock = new ClockOffset();
  #silence: Timer;
  #retry: Timer;
  #pings: Timer;
  #drain: Timer;

  constructor(
    private readonly open: () => SocketLike,
    private readonly events: ConnectionEvents,
    private readonly unpack: Unpack | null = null,
  ) {}

  get live(): boolean {
    return this.#live;
  }

  /** Also after `close`, when somebody has come back. */
  start(): void {
    this.#closed = false;
    this.#connect();
  }

  send(frame: ClientFrame): void {
    if (this.#live) this.#socket?.send(JSON.stringify(frame));
  }

  /** The network is back or somebody looks: do not sit out a long back-off. */
  hurry(): void {
    if (this.#retry !== undefined && !this.#closed) this.#connect();
  }

  /** Nobody is left to listen. */
  close(): void {
    this.#closed = true;
    this.#live = false;
    this.#stopTimers();
    this.#drop(1000);
  }

  #connect(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const socket = this.open();
    this.#socket = socket;
    this.#silenceLimitMs = FIRST_SILENCE_MS;
    this.#listenForSilence();
    // Of this socket alone: what is still being unpacked when it is lost is asked for again anyway.
    const isCurrent = () => this.#socket === socket;
    const inbox = new Inbox(
      this.unpack,
      (text, heardMs) => isCurrent() && this.#read(text, heardMs),
      () => isCurrent() && this.events.unreadable(),
    );
    socket.onmessage = (event) => {
      if (!isCurrent()) return;
      this.lastFrameMs = Date.now();
      this.#listenForSilence();
      inbox.put(event.data, this.lastFrameMs);
    };
    socket.onclose = (event) => {
      if (isCurrent()) this.#lost(event.code);
    };
    socket.onerror = null;
  }

  #read(text: string, heardMs: number): void {
    const frame = parseFrame(text);
    if (!frame) return;
    if (frame.type === 'hello') return this.#greeted(frame);
    if (frame.type === 'pong') return this.#timed(frame.t, heardMs, frame.server_ms);
    if (frame.type === 'drain') {
      // The socket still serves; leave it at a random moment and open the next one at once.
      clearTimeout(this.#drain);
      this.#drain = setTimeout(() => this.#leave(), drainMs(frame, Math.random()));
      return;
    }
    this.events.frame(frame);
  }

  #greeted(frame: HelloFrame): void {
    this.#live = true;
    this.#backoff.opened(Date.now());
    this.#silenceLimitMs = 1.5 * frame.heartbeat_ms;
    this.#listenForSilence();
    this.#clock.reset();
    this.#measure(PINGS);
    this.events.hello(frame);
  }

  #measure(left: number): void {
    clearTimeout(this.#pings);
    this.send({ type: 'ping', t: Date.now() });
    this.#pings = setTimeout(() => this.#measure(left > 1 ? left - 1 : 1), left > 1 ? PING_GAP_MS : REPING_MS);
  }

  #timed(sentMs: number, heardMs: number, serverMs: number): void {
    this.#clock.sample(sentMs, heardMs, serverMs);
    if (this.#clock.offset !== null) this.events.clock(this.#clock.offset);
  }

  #listenForSilence(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      // close() may itself wait for a peer that is gone: let go first, then hang up.
      this.#drop(CLOSE_SILENT);
      this.#lost(CLOSE_SILENT);
    }, this.#silenceLimitMs);
  }

  #leave(): void {
    this.#stopTimers();
    this.#drop(1000);
    this.#live = false;
    this.events.lost();
    this.#connect();
  }

  #lost(code: number): void {
    this.#socket = null;
    this.#live = false;
    this.#stopTimers();
    if (this.#closed) return;
    if (code === CLOSE_SESSION_ENDED) {
      this.#closed = true;
      this.events.ended();
      return;
    }
    this.events.lost();
    this.#retry = setTimeout(() => this.#connect(), this.#backoff.next(Date.now()));
  }

  #drop(code: number): void {
    const socket = this.#socket;
    this.#socket = null;
    try {
      // 1000 and 4000–4999 are the only codes a page may send.
      socket?.close(code);
    } catch {
      // Already closing: nothing left to hang up.
    }
  }

  #stopTimers(): void {
    for (const timer of [this.#silence, this.#retry, this.#pings, this.#drain]) clearTimeout(timer);
    this.#retry = undefined;
  }
}

type Timer = ReturnType<typeof setTimeout> | undefined;
