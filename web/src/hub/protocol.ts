/**
 * The websocket protocol `orderboard.v1` as the page sees it.
 * Parsing lives here and nowhere else; what does not look like a known frame becomes `null`
 * and is ignored, so that a newer server can add frames without breaking an open tab.
 */

export const SUBPROTOCOL = 'orderboard.v1';

/** The `error` of a server that does not know a field of ours. */
export const MALFORMED = 'malformed';
/** The `error` that answers a watch of a board that is not there. */
export const UNKNOWN_BOARD = 'unknown_board';

export type Role = 'customer' | 'executor' | 'admin';
export type Person = { id: number; name: string };
export type User = Person & { role: Role };

/** One order as the public board shows it. Money in integer minor units. */
export type BoardOrder = {
  id: number;
  version: number;
  title: string;
  category: string | null;
  price: number;
  payout: number;
  currency: string;
  customer: Person;
  assignment: 'first' | 'chosen';
  /** Absent from servers that do not tell it on the board. */
  acceptance?: 'auto' | 'confirm';
  applicants: number;
  created_ms: number;
};

export type OrderStatus =
  | 'open' | 'frozen' | 'in_work' | 'submitted' | 'done' | 'failed' | 'cancelled';

/** One's own order: the row with its state, its two sides and its times. */
export type OwnOrder = BoardOrder & {
  status: OrderStatus;
  commission: number;
  rate_bp: number;
  executor: Person | null;
  acceptance: 'auto' | 'confirm';
  accepted_ms: number | null;
  submitted_ms: number | null;
  finished_ms: number | null;
  confirm_by_ms: number | null;
  /** Since when it waits for an administrator's verdict, or had to. */
  disputed_ms: number | null;
};

export type AccountKind = 'wallet' | 'earnings';
export type Account = {
  account: AccountKind;
  currency: string;
  available: number;
  held: number;
  version: number;
};

export type GoneReason = 'taken' | 'cancelled' | 'frozen' | 'window';

export type HelloFrame = {
  type: 'hello'; protocol: number; node: string; server_ms: number;
  heartbeat_ms: number; user: User | null; expires_in_s: number | null;
};
export type SnapshotFrame = {
  type: 'snapshot'; board: string; epoch: string; seq: number; checksum: number; orders: BoardOrder[];
};
export type DiffFrame = {
  type: 'diff'; board: string; epoch: string; prev: number; seq: number;
  up: BoardOrder[]; rm: [number, GoneReason][];
};
export type TickFrame = {
  type: 'tick'; board: string; epoch: string; seq: number; checksum: number; server_ms: number;
};
export type BalanceFrame = { type: 'balance' } & Account;
export type OrderFrame = { type: 'order'; order: OwnOrder };
/** Something the user is told; `event` may be one that a newer server knows. */
export type Notice = { id: number; event: string; facts: Record<string, unknown>; created_ms: number };
export type NoticeFrame = { type: 'notice'; unread: number } & Notice;
export type NoticeCountFrame = { type: 'notice_count' } & NoticeCount;
/** Everything up to `read_up_to` has been read. */
export type NoticeCount = { unread: number; read_up_to: number };
export type PongFrame = { type: 'pong'; t: number; server_ms: number };
export type DrainFrame = { type: 'drain'; after_ms: number; spread_ms: number };
export type ErrorFrame = { type: 'error'; code: string; detail: string };

export type ServerFrame =
  | HelloFrame | SnapshotFrame | DiffFrame | TickFrame | BalanceFrame | OrderFrame
  | NoticeFrame | NoticeCountFrame | PongFrame | DrainFrame | ErrorFrame;

export type ClientFrame =
  | { type: 'watch'; board: string; epoch?: string; seq?: number; compress?: 'gzip' }
  | { type: 'unwatch'; board: string }
  | { type: 'ping'; t: number };

/** Close codes with a meaning of their own (RFC 6455 leaves 4000–4999 to the application). */
export const CLOSE_SESSION_ENDED = 4401;
/** Ours, when we hang up on a server that fell silent. */
export const CLOSE_SILENT = 4408;

type Shape = Record<string, 'number' | 'string' | 'array' | 'object' | 'any'>;

/** The fields a frame cannot be used without. */
const REQUIRED: Record<ServerFrame['type'], Shape> = {
  hello: { server_ms: 'number', heartbeat_ms: 'number' },
  snapshot: { board: 'string', epoch: 'any', seq: 'number', orders: 'array' },
  diff: { board: 'string', epoch: 'any', prev: 'number', seq: 'number', up: 'array', rm: 'array' },
  tick: { board: 'string', epoch: 'any', seq: 'number', checksum: 'number' },
  balance: { account: 'string', currency: 'string', available: 'number', held: 'number', version: 'number' },
  order: { order: 'object' },
  notice: { id: 'number', event: 'string', facts: 'object', created_ms: 'number' },
  notice_count: { unread: 'number', read_up_to: 'number' },
  pong: { t: 'number', server_ms: 'number' },
  drain: { after_ms: 'number', spread_ms: 'number' },
  error: { code: 'string' },
};

/** A frame the page understands, or `null`. */
export function parseFrame(text: string): ServerFrame | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const frame = value as Record<string, unknown>;
  const shape = REQUIRED[frame['type'] as ServerFrame['type']];
  if (!shape || !Object.hasOwn(REQUIRED, frame['type'] as string)) return null;
  for (const [name, kind] of Object.entries(shape)) {
    if (!fits(frame[name], kind)) return null;
  }
  return value as ServerFrame;
}

function fits(value: unknown, kind: Shape[string]): boolean {
  if (kind === 'any') return value !== undefined;
  if (kind === 'array') return Array.isArray(value);
  if (kind === 'object') return typeof value === 'object' && value !== null;
  return typeof value === kind;
}
