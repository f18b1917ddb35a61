/**
 * The hub: one socket and one copy of each watched board for all tabs of a session.
 * The same class runs in a SharedWorker and, where there is none, in the page.
 *
 * Visible tabs get board diffs; hidden ones only what concerns their user, and a snapshot from
 * memory when they are looked at again.
 */
import { Connection, type SocketLike } from './connection';
import type { Unpack } from './inbox';
import type { HubMessage, Link, PortLike, TabMessage } from './messages';
import { MALFORMED, UNKNOWN_BOARD, type Account, type Notice, type NoticeCount, type ServerFrame, type User } from './protocol';
import { Replica } from './replica';

/** Watching again answers a hole; doing it more often than this would be a storm of our own. */
const REWATCH_MS = 2_000;
/** A watch that stays without an answer, say because it was one message too many, is asked again after this. */
const ANSWER_MS = 10_000;
/** A board nobody looks at is kept this long: switching category and back is common. */
const UNWATCH_MS = 30_000;

type Timer = ReturnType<typeof setTimeout> | undefined;
type Tab = { id: string; port: PortLike; visible: boolean; touched: boolean; board: string | null; told: Link | null };
type Board = {
  replica: Replica;
  /** The server has answered on this connection. Until then the copy is as old as the last one. */
  settled: boolean;
  /** A checksum of this connection has agreed, and nothing has spoken against the copy since. */
  proven: boolean;
  askedMs: number;
  rewatch: Timer;
  rewatchMs: number;
  unwatch: Timer;
};

export type HubOptions = {
  open: () => SocketLike;
  /** Unpacks gzip; without it boards are asked for uncompressed. */
  unpack?: Unpack | null;
  /** Calls back when the tab that holds this lock is gone. */
  whenReleased: (lock: string, gone: () => void) => void;
  /** The lock by which tabs notice that this hub is gone. */
  lock?: string;
  /** The last tab left; another one may come. */
  idle: () => void;
};

export class Hub {
  readonly boot = Math.random().toString(36).slice(2);
  readonly #tabs = new Map<PortLike, Tab>();
  readonly #boards = new Map<string, Board>();
  readonly #accounts = new Map<string, Account>();
  readonly #connection: Connection;
  #started = false;
  #ended = false;
  #everLive = false;
  #user: User | null | undefined;
  #offset: number | null = null;
  #notices: NoticeCount | null = null;
  /** False for good once unpacking has failed. */
  #canUnpack: boolean;
  /** Whether to ask for compressed boards; a server that does not know how ends it until the next connection. */
  #compress = false;
  #node = '';

  constructor(private readonly options: HubOptions) {
    this.#canUnpack = Boolean(options.unpack);
    this.#connection = new Connection(options.open, {
      hello: (frame) => {
        this.#compress = this.#canUnpack;
        this.#user = frame.user;
        this.#node = frame.node;
        this.#everLive = true;
        this.#tell({ kind: 'user', user: frame.user });
        for (const name of this.#boards.keys()) this.#watch(name, true);
        this.#tellLinks();
      },
      frame: (frame) => this.#frame(frame),
      unreadable: () => {
        this.#canUnpack = false;
        this.#watchPlain();
      },
      lost: () => {
        this.#unsettle();
        this.#tellLinks();
      },
      ended: () => this.#end(),
      clock: (offset) => {
        this.#offset = offset;
        this.#tell({ kind: 'clock', offset_ms: offset });
      },
    }, options.unpack);
  }

  /** Whether no tab is here. */
  get deserted(): boolean {
    return this.#tabs.size === 0;
  }

  attach(port: PortLike): void {
    port.onmessage = (event) => this.#heard(port, event.data);
    this.#ask(port);
  }

  #ask(port: PortLike): void {
    port.postMessage({ kind: 'who', boot: this.boot, lock: this.options.lock ?? null });
  }

  #heard(port: PortLike, message: TabMessage): void {
    switch (message.kind) {
      case 'hello':
        return this.#welcome(port, message);
      case 'ping':
        return port.postMessage({ kind: 'pong', n: message.n, boot: this.boot });
      case 'hurry':
        return this.#connection.hurry();
      case 'bye':
        return this.#leave(port);
      case 'board':
      case 'touched':
      case 'visible': {
        const tab = this.#tabs.get(port);
        if (!tab) return this.#ask(port);
        if (message.kind === 'board') tab.board = message.board;
        else if (message.kind === 'touched') tab.touched = true;
        else tab.visible = message.visible;
        if (message.kind === 'touched') return;
        if (tab.visible) this.#connection.hurry();
        return this.#look(tab);
      }
    }
  }

  #welcome(port: PortLike, hello: Extract<TabMessage, { kind: 'hello' }>): void {
    const known = this.#tabs.has(port);
    const tab: Tab = { id: hello.tab, port, visible: hello.visible, touched: hello.touched, board: hello.board, told: null };
    // A tab that lost patience knocks again: nobody listens behind its former port.
    for (const other of this.#tabs.values()) {
      if (other.id !== hello.tab || other.port === port) continue;
      this.#tabs.delete(other.port);
      other.port.close();
    }
    this.#tabs.set(port, tab);
    if (!known) this.options.whenReleased(hello.lock, () => this.#leave(port));
    if (this.#ended) return port.postMessage({ kind: 'ended' });
    if (!this.#started) {
      this.#started = true;
      this.#connection.start();
    }
    if (this.#user !== undefined) port.postMessage({ kind: 'user', user: this.#user });
    if (this.#offset !== null) port.postMessage({ kind: 'clock', offset_ms: this.#offset });
    for (const account of this.#accounts.values()) port.postMessage({ kind: 'balance', account });
    if (this.#notices) port.postMessage({ kind: 'notice_count', count: this.#notices });
    this.#look(tab);
    if (!tab.told) this.#tellLink(tab);
  }

  #leave(port: PortLike): void {
    if (!this.#tabs.delete(port)) return;
    this.#releaseBoards();
    if (!this.deserted) return;
    this.#connection.close();
    this.#unsettle();
    this.#started = false;
    this.options.idle();
  }

  /** A tab looks at something else, or is looked at again. */
  #look(tab: Tab): void {
    if (tab.board !== null) {
      const board = this.#want(tab.board);
      if (tab.visible && (board.replica.known || board.settled)) tab.port.postMessage(this.#snapshot(board.replica));
    }
    // Behind the rows it speaks of. A board that is only being fetched is no reason to call the connection bad.
    if (this.#link(tab).phase === 'live') this.#tellLink(tab);
    this.#releaseBoards();
  }

  #want(name: string): Board {
    let board = this.#boards.get(name);
    if (!board) {
      board = { replica: new Replica(name), settled: false, proven: false, askedMs: 0, rewatch: undefined, rewatchMs: 0, unwatch: undefined };
      this.#boards.set(name, board);
      this.#watch(name, true);
    }
    clearTimeout(board.unwatch);
    board.unwatch = undefined;
    return board;
  }

  #releaseBoards(): void {
    const wanted = new Set([...this.#tabs.values()].map((tab) => tab.board));
    for (const [name, board] of this.#boards) {
      if (wanted.has(name) || board.unwatch !== undefined) continue;
      board.unwatch = setTimeout(() => {
        clearTimeout(board.rewatch);
        this.#boards.delete(name);
        this.#connection.send({ type: 'unwatch', board: name });
      }, UNWATCH_MS);
    }
  }

  #watch(name: string, resume: boolean): void {
    const board = this.#boards.get(name);
    if (!board || !this.#connection.live) return;
    clearTimeout(board.rewatch);
    board.rewatch = undefined;
    board.askedMs = Date.now();
    const { epoch, seq } = board.replica;
    const from = resume && epoch !== null ? { epoch, seq } : {};
    const how = this.#compress ? { compress: 'gzip' as const } : {};
    this.#connection.send({ type: 'watch', board: name, ...from, ...how });
    if (!board.settled) this.#watchAgain(name, ANSWER_MS, resume);
  }

  /** The server does not know compression, or it did not work: ask for everything once more without. */
  #watchPlain(): void {
    if (!this.#compress) return;
    this.#compress = false;
    for (const name of this.#boards.keys()) this.#watch(name, true);
  }

  /** Ask again, at most once per 2 s. */
  #rewatch(name: string, resume: boolean): void {
    const board = this.#boards.get(name);
    if (board) this.#watchAgain(name, Math.max(0, board.askedMs + REWATCH_MS - Date.now()), resume);
  }

  #watchAgain(name: string, waitMs: number, resume: boolean): void {
    const board = this.#boards.get(name)!;
    const atMs = Date.now() + waitMs;
    if (board.rewatch !== undefined && board.rewatchMs <= atMs) return;
    clearTimeout(board.rewatch);
    board.rewatchMs = atMs;
    board.rewatch = setTimeout(() => this.#watch(name, resume), waitMs);
  }

  /** The connection is another one: what was known is not wrong, but nobody vouches for it. */
  #unsettle(): void {
    for (const board of this.#boards.values()) {
      board.settled = false;
      board.proven = false;
    }
  }

  #settle(name: string, board: Board): void {
    if (!board.settled) {
      board.settled = true;
      clearTimeout(board.rewatch);
      board.rewatch = undefined;
    }
    this.#tellLinks(name);
  }

  /** A watch was refused. The answer does not say which, but answers come in the order of the questions. */
  #refused(code: string): void {
    const unsettled = [...this.#boards].filter(([, board]) => !board.settled).sort(([, a], [, b]) => a.askedMs - b.askedMs);
    const oldest = unsettled[0];
    if (!oldest) return;
    const [name, board] = oldest;
    if (code !== UNKNOWN_BOARD) return this.#rewatch(name, true);
    // A category that is not there, or no more: nothing is in it, and there is nothing to wait for.
    board.replica.wipe();
    this.#tellBoard(name, this.#snapshot(board.replica));
    this.#settle(name, board);
  }

  #frame(frame: ServerFrame): void {
    switch (frame.type) {
      case 'snapshot': {
        const board = this.#boards.get(frame.board);
        if (!board) return;
        board.proven = board.replica.replace(frame);
        this.#tellBoard(frame.board, this.#snapshot(board.replica));
        return this.#settle(frame.board, board);
      }
      case 'diff': {
        const board = this.#boards.get(frame.board);
        if (!board) return;
        const result = board.replica.apply(frame);
        if (result.outcome === 'gap') {
          board.proven = false;
          return this.#rewatch(frame.board, true);
        }
        const { up, rm } = result.outcome === 'applied' ? result.change : { up: [], rm: [] };
        if (up.length + rm.length > 0) this.#tellBoard(frame.board, { kind: 'diff', board: frame.board, up, rm });
        if (!board.settled) this.#settle(frame.board, board);
        return;
      }
      case 'tick': {
        const board = this.#boards.get(frame.board);
        if (!board) return;
        const outcome = board.replica.check(frame);
        board.proven = outcome === 'proven';
        // A drifted copy must not be resumed from: ask for all of it.
        if (!board.proven) this.#rewatch(frame.board, outcome === 'behind');
        return this.#tellLinks(frame.board);
      }
      case 'balance': {
        const { account, currency, available, held, version } = frame;
        const key = `${account}/${currency}`;
        if ((this.#accounts.get(key)?.version ?? -1) > version) return;
        const fresh: Account = { account, currency, available, held, version };
        this.#accounts.set(key, fresh);
        return this.#tell({ kind: 'balance', account: fresh });
      }
      case 'order':
        return this.#tell({ kind: 'order', order: frame.order });
      case 'notice': {
        const { id, event, facts, created_ms } = frame;
        return this.#tellNotice({ id, event, facts, created_ms });
      }
      case 'notice_count':
        this.#notices = { unread: frame.unread, read_up_to: frame.read_up_to };
        return this.#tell({ kind: 'notice_count', count: this.#notices });
      case 'error':
        if (frame.code === MALFORMED) this.#watchPlain();
        else this.#refused(frame.code);
    }
  }

  #end(): void {
    this.#ended = true;
    this.#accounts.clear();
    this.#notices = null;
    for (const board of this.#boards.values()) board.replica.wipe();
    this.#tell({ kind: 'ended' });
  }

  #snapshot(replica: Replica): HubMessage {
    return { kind: 'snapshot', boot: this.boot, board: replica.board, orders: replica.orders };
  }

  /** Live is who is told what happens *and* has been told what happened before. */
  #link(tab: Tab): Link {
    const board = tab.board === null ? undefined : this.#boards.get(tab.board);
    const heard_ms = this.#connection.lastFrameMs;
    if (this.#connection.live && (board?.settled ?? true)) return { phase: 'live', heard_ms, proven: board?.proven ?? true, node: this.#node };
    const isFirst = !this.#everLive || (this.#connection.live && !board?.replica.known);
    return { phase: isFirst ? 'connecting' : 'reconnecting', heard_ms, proven: false, node: '' };
  }

  #tellLink(tab: Tab): void {
    const link = this.#link(tab);
    const isNews = link.phase !== 'live' || link.phase !== tab.told?.phase || link.proven !== tab.told.proven;
    if (!isNews) return;
    tab.told = link;
    tab.port.postMessage({ kind: 'link', link });
  }

  /** Of one board, or all. */
  #tellLinks(board?: string): void {
    for (const tab of this.#tabs.values()) if (board === undefined || tab.board === board) this.#tellLink(tab);
  }

  #tell(message: HubMessage): void {
    for (const tab of this.#tabs.values()) tab.port.postMessage(message);
  }

  /** All tabs hear of it, and one may sound: one that may be heard, and of these one that is looked at. */
  #tellNotice(notice: Notice): void {
    const fitness = (tab: Tab) => Number(tab.touched) * 2 + Number(tab.visible);
    let best: Tab | null = null;
    for (const tab of this.#tabs.values()) if (!best || fitness(tab) >= fitness(best)) best = tab;
    for (const tab of this.#tabs.values()) tab.port.postMessage({ kind: 'notice', notice, alerts: tab === best });
  }

  #tellBoard(name: string, message: HubMessage): void {
    for (const tab of this.#tabs.values()) {
      if (tab.visible && tab.board === name) tab.port.postMessage(message);
    }
  }
}
