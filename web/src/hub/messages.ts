/** What a tab and the hub say to each other over a MessagePort. */
import type {
  Account, BoardOrder, GoneReason, Notice, NoticeCount, OwnOrder, User,
} from './protocol';

export type LinkPhase = 'connecting' | 'live' | 'reconnecting';

export type Link = {
  phase: LinkPhase;
  /** Wall clock of the last frame heard; 0 before the first. */
  heard_ms: number;
  /** Since this connection began the server's checksum has agreed with the tab's board; true where it shows none. */
  proven: boolean;
  /** The server's node that this connection leads to; '' while there is none. */
  node: string;
};

export type TabMessage =
  | { kind: 'hello'; tab: string; lock: string; visible: boolean; touched: boolean; board: string | null }
  | { kind: 'board'; board: string | null }
  | { kind: 'visible'; visible: boolean }
  /** Somebody has pressed something in this tab: it may be heard now. */
  | { kind: 'touched' }
  | { kind: 'hurry' }
  | { kind: 'ping'; n: number }
  | { kind: 'bye' };

export type HubMessage =
  /**
   * Sent on every connect: a browser may restart the worker behind living ports. `lock` is what the worker holds
   * for life; a hub in the page dies with its page and has none.
   */
  | { kind: 'who'; boot: string; lock: string | null }
  | { kind: 'pong'; n: number; boot: string }
  | { kind: 'link'; link: Link }
  | { kind: 'user'; user: User | null }
  | { kind: 'clock'; offset_ms: number }
  | { kind: 'snapshot'; boot: string; board: string; orders: BoardOrder[] }
  | { kind: 'diff'; board: string; up: BoardOrder[]; rm: [number, GoneReason][] }
  | { kind: 'balance'; account: Account }
  | { kind: 'order'; order: OwnOrder }
  /** `alerts`: this tab is the one that may make a sound of it. */
  | { kind: 'notice'; notice: Notice; alerts: boolean }
  | { kind: 'notice_count'; count: NoticeCount }
  | { kind: 'ended' };

/** The part of MessagePort used here. */
export type PortLike = {
  postMessage(message: HubMessage): void;
  onmessage: ((event: { data: TabMessage }) => void) | null;
  close(): void;
};
