/** This tab's live connection: how good it is, and who in the page hears what. */
import { HubClient } from '../hub/client';
import type { HubMessage, Link } from '../hub/messages';
import type { Account, Notice, NoticeCount, OwnOrder, User } from '../hub/protocol';
import { clock } from './clock.svelte';

type BoardMessage = Extract<HubMessage, { kind: 'snapshot' | 'diff' }>;

/** Below this a lost connection is "reconnecting", above it the age of the board is told. */
const STALE_AFTER_MS = 3_000;

const UNHEARD: Link = { phase: 'connecting', heard_ms: 0, proven: false, node: '' };

export type LinkState = 'connecting' | 'live' | 'reconnecting' | 'stale' | 'offline';

class Live {
  #link = $state.raw<Link>(UNHEARD);
  #online = $state(navigator.onLine);
  #tick = $state(Date.now());
  /** It was live and is not. */
  #lost = $state(false);
  #client: HubClient | null = null;
  /** When this tab was last told something new, by `performance.now()`. */
  newsMs = 0;
  #watched: string | null = null;
  /** Who set it: a page that leaves must not take away what the next page has already asked for. */
  #watcher: object = {};
  readonly #board = new Set<(message: BoardMessage) => void>();
  readonly #orders = new Set<(order: OwnOrder) => void>();
  readonly #balances = new Set<(account: Account) => void>();
  onNotice: (notice: Notice, alerts: boolean) => void = () => {};
  onNoticeCount: (count: NoticeCount) => void = () => {};
  onUser: (user: User | null) => void = () => {};
  onEnded: () => void = () => {};
  /** Live again after it was lost: the server may be another one. */
  onBack: () => void = () => {};

  constructor() {
    addEventListener('online', () => (this.#online = true));
    addEventListener('offline', () => (this.#online = false));
    setInterval(() => {
      if (this.#link.phase !== 'live') this.#tick = Date.now();
    }, 500);
  }

  /** How old the page's knowledge is, in whole seconds; 0 while live. */
  readonly staleS = $derived.by(() => {
    if (this.#link.phase === 'live' || this.#link.heard_ms === 0) return 0;
    return Math.max(0, Math.floor((this.#tick - this.#link.heard_ms) / 1000));
  });

  readonly state: LinkState = $derived.by(() => {
    if (this.#link.phase === 'live') return 'live';
    if (!this.#online) return 'offline';
    if (this.#link.phase === 'connecting' && !this.#lost) return 'connecting';
    return this.staleS * 1000 >= STALE_AFTER_MS ? 'stale' : 'reconnecting';
  });

  /** The node that the news come from; '' while there is none. */
  get node(): string {
    return this.#link.node;
  }

  /** The server's checksum agrees with what this tab shows. */
  readonly proven: boolean = $derived(this.#link.proven);

  /** Another session is another worker: `name` carries it. */
  start(name: string): void {
    this.#client?.stop();
    this.#link = UNHEARD;
    this.#lost = false;
    this.#client = new HubClient(name, (message) => this.#heard(message), () => this.#lostWorker());
    this.#client.watch(this.#watched);
    void this.#client.start();
  }

  watch(board: string | null, listener?: (message: BoardMessage) => void): () => void {
    const watcher = (this.#watcher = {});
    this.#watched = board;
    if (listener) this.#board.add(listener);
    this.#client?.watch(board);
    return () => {
      if (listener) this.#board.delete(listener);
      if (this.#watcher === watcher) {
        this.#watched = null;
        this.#client?.watch(null);
      }
    };
  }

  onOrder(listener: (order: OwnOrder) => void): () => void {
    this.#orders.add(listener);
    return () => void this.#orders.delete(listener);
  }

  onBalance(listener: (account: Account) => void): () => void {
    this.#balances.add(listener);
    return () => void this.#balances.delete(listener);
  }

  #loseOrRegain(isLive: boolean): void {
    if (isLive && this.#lost) this.onBack();
    this.#lost = !isLive && (this.#lost || this.#link.phase === 'live');
  }

  #lostWorker(): void {
    this.#loseOrRegain(false);
    this.#link = { ...this.#link, phase: 'reconnecting', proven: false };
  }

  #heard(message: HubMessage): void {
    if (message.kind !== 'link' && message.kind !== 'clock') this.newsMs = performance.now();
    switch (message.kind) {
      case 'link':
        this.#tick = Date.now();
        this.#loseOrRegain(message.link.phase === 'live');
        // A new hub has heard nothing yet; what is on the screen is as old as what the former one heard last.
        this.#link = { ...message.link, heard_ms: Math.max(this.#link.heard_ms, message.link.heard_ms) };
        return;
      case 'user':
        return this.onUser(message.user);
      case 'clock':
        return clock.adjust(message.offset_ms);
      case 'ended':
        return this.onEnded();
      case 'snapshot':
      case 'diff':
        for (const listener of this.#board) listener(message);
        return;
      case 'order':
        for (const listener of this.#orders) listener(message.order);
        return;
      case 'balance':
        for (const listener of this.#balances) listener(message.account);
        return;
      case 'notice':
        return this.onNotice(message.notice, message.alerts);
      case 'notice_count':
        return this.onNoticeCount(message.count);
    }
  }
}

export const live = new Live();
