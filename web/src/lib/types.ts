/** Shapes of the HTTP API that the socket does not carry. */
import type { Account, OwnOrder, Person, Role } from '../hub/protocol';

export type Me = {
  user: Person & { email: string };
  role: Role;
  expires_at: string;
  accounts: Account[];
};

export type OrderFull = OwnOrder & {
  description: string;
  report: string | null;
  reject_reason: string | null;
  floor_bp: number;
  mode: 'round' | 'exact';
};

export type Category = { slug: string; name_ru: string; name_en: string };

export type Quote = {
  price: number; payout: number; commission: number;
  rate_bp: number; floor_bp: number; mode: 'round' | 'exact'; currency: string;
};

export type Entry = {
  seq: number; kind: string;
  available_delta: number; held_delta: number; available_after: number; held_after: number;
  currency: string; order_id: number | null; topup_id: number | string | null;
  operation_id: string; created_ms: number;
};

export type Topup = {
  id: number | string; amount: number; currency: string;
  status: 'created' | 'received' | 'rejected' | 'outdated'; pay_url: string; created_at: string;
};

export type SessionItem = {
  id: number | string; role: Role; device: string; address: string;
  created_at: string; last_seen_at: string; expires_at: string; current: boolean;
};

export type CommissionPolicy = { rate_bp: number; floor_bp: number; mode: 'round' | 'exact' };
