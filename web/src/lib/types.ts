/** Shapes of the HTTP API that the socket does not carry. */
import type { Account, AccountKind, OwnOrder, Person, Role } from '../hub/protocol';

export type Me = {
  user: Person & { email: string };
  role: Role;
  expires_at: string;
  about: string;
  /** In which letters are written. */
  language: 'ru' | 'en';
  /** Earnings flow on into the wallet. */
  sweeps_earnings: boolean;
  accounts: Account[];
};

export type OrderFull = OwnOrder & {
  description: string;
  report: string | null;
  reject_reason: string | null;
  dispute_reason: string | null;
  floor_bp: number;
  mode: 'round' | 'exact';
};

export type OrderEvent = { event: string; actor: Person | null; at_ms: number; facts: Record<string, unknown> };

export type ApplicationStatus = 'waiting' | 'chosen' | 'declined' | 'withdrawn';
export type Application = {
  order_id: number; executor: Person; message: string; price: number; payout: number; commission: number;
  status: ApplicationStatus;
  /** Of the order as the application made it. */
  version: number; created_ms: number;
};
export type Applicant = Application & { stats: { completed: number; earned: number } };
/** An offer for the order may be between these prices. */
export type Applicants = { items: Applicant[]; next: string | null; price_min: number; price_max: number };
export type OwnApplication = Application & {
  order: Pick<OwnOrder, 'id' | 'version' | 'title' | 'status' | 'category' | 'price' | 'payout' | 'currency'> | null;
};

export type Profile = {
  id: number; name: string; about: string; created_at: string;
  customer: { orders_created: number; orders_done: number; money_in_orders: { currency: string; amount: number }[] };
  executor: { orders_completed: number; money_received: { currency: string; amount: number }[] };
};

export type Category = { slug: string; name_ru: string; name_en: string };
export type AdminCategory = Category & { place: number; hidden: boolean };

export type Quote = {
  price: number; payout: number; commission: number;
  rate_bp: number; floor_bp: number; mode: 'round' | 'exact'; currency: string;
};

export type Entry = {
  seq: number; kind: string;
  available_delta: number; held_delta: number; available_after: number; held_after: number;
  currency: string; order_id: number | null; order_title: string | null; topup_id: number | string | null;
  payout_id: number | null; peer: Person | null; operation_id: string; created_ms: number;
};

export type BalanceThen = { account: AccountKind; currency: string; at: string; available: number; held: number; seq: number };

export type PayoutStatus = 'created' | 'received' | 'rejected' | 'cancelled';
export type PayoutRules = { min: number; methods: string[] };
export type Payout = {
  id: number; amount: number; currency: string; account: AccountKind; method: string; destination: string;
  status: PayoutStatus; comment: string | null; created_ms: number; decided_ms: number | null;
};
export type AdminPayout = Payout & {
  user: Person; decided_by: Person | null;
  earned_with: { orders: number; sum: number; complete: boolean };
};
export type PayoutSource = {
  kind: string; amount: number; at_ms: number; topup_id: number | null; peer_id: number | null;
  order: {
    id: number; title: string; customer: Person; payout: number;
    accepted_ms: number | null; submitted_ms: number | null; finished_ms: number | null;
  } | null;
};
export type PayoutDetail = Payout & {
  user: Person; decided_by: Person | null; available: number; held: number;
  earned_with: { sum: number; complete: boolean; sources: PayoutSource[] };
  totals: { status: PayoutStatus; count: number; amount: number }[];
};

export type Topup = {
  id: number | string; amount: number; currency: string;
  status: 'created' | 'received' | 'rejected' | 'outdated'; pay_url: string; created_at: string;
};

/** What the sandbox gateway knows of a payment link; `amount` is minor units. */
export type SandboxPayment = {
  merchant: string; inv_id: string; amount: number; currency: string; description: string; expired: boolean;
};

export type SessionItem = {
  id: number | string; role: Role; device: string; address: string;
  created_at: string; last_seen_at: string; expires_at: string; current: boolean;
};

export type CommissionPolicy = { rate_bp: number; floor_bp: number; mode: 'round' | 'exact' };

export type AuditFinding = {
  slug: string; check: string; violations: { subject: string; detail: string }[];
  has_more: boolean; advice: string | null; can_repair: boolean;
};

export type Audit = {
  number: number; started_at: string; took_ms: number; broken: number; findings: AuditFinding[];
  mended: { slug: string; subject: string; operation_id: string; before: unknown; after: unknown }[];
  left: { slug: string; subject: string; why: string }[];
};

export type AuditProgress = { state: 'running'; number: number } | ({ state: 'done' } & Audit);

export type Way = 'app' | 'mail' | 'telegram';
export type Ways = Record<Way, boolean>;
export type Channels = {
  events: Record<string, Ways>;
  /** Whether letters go out from here at all. */
  mail: { available: boolean };
  telegram: { available: boolean; linked: boolean };
};
export type TelegramLink = { link: string; code: string; expires_at: string };
/** `category` is a slug, or `all`. */
export type Subscription = { category: string; price_min: number | null; sound: boolean };

export type Sum = { currency: string; amount: number };
export type AdminUser = { id: number; name: string; email: string; is_admin: boolean; created_at: string; closed_at: string | null };
export type AdminUserFull = AdminUser & {
  about: string; language: string; sessions: number; last_seen_at: string | null; accounts: Account[];
  customer: { orders_created: number; money_in_orders: Sum[]; orders_done: number };
  executor: { orders_completed: number; money_received: Sum[] };
};
export type Delivery = {
  id: string; channel: 'mail' | 'telegram'; user_id: number; what: string; state: 'dead' | 'waiting' | 'sent'; attempts: number;
  due_at: string; deadline: string; error: string | null; created_at: string; done_at: string | null;
};

/** What a node did until `at_ms`; times are absent where nothing was asked. */
export type FigurePoint = {
  at_ms: number; seconds: number; sockets: number; requests_per_s: number; accepts_per_s: number; errors_per_s: number;
  p50_ms: number | null; p99_ms: number | null; accept_p50_ms: number | null; accept_p99_ms: number | null;
};
export type Figures = {
  node: string; now_ms: number; every_s: number; series: FigurePoint[];
  routes: { route: string; requests: number; errors: number; p50_ms: number | null; p99_ms: number | null }[];
  recent_errors: { at_ms: number; method: string; route: string; status: number; code: string; cause: string; took_ms: number }[];
};

/** What one caller may ask of the house. 0 limits nothing. */
export const LIMITS = ['requests_s', 'requests_burst', 'requests_min', 'accepts_s', 'orders_day', 'attempts_address', 'attempts_email'] as const;
export type LimitName = (typeof LIMITS)[number];
export type LimitsTold = {
  in_force: Record<LimitName, number>; configured: Record<LimitName, number>; set: Partial<Record<LimitName, number>>;
  refused: { by_limit: { limit: LimitName; count: number }[]; by_caller: { limit: LimitName; user_id: number | null; address: string | null; count: number }[] };
};

/** A request that was watched: what it cost, and whose it was. */
export type DebugRequest = {
  id: string; at_ms: number; method: string; route: string; status: number; user_id: number | null;
  took_us: number; mysql_us: number; redis_us: number; mysql_calls: number; redis_calls: number;
};
export type DebugTold = { on: boolean; until_ms: number | null; requests: DebugRequest[] };
export type DebugWhole = DebugRequest & { calls: { kind: 'mysql' | 'redis'; call: string; took_us: number }[]; calls_left_out: number };

export type Cache = { name: string; entries: number };
