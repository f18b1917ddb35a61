/** The page has words for everything that the server says: both lists are read, so that neither runs ahead of the other. */
import { readFileSync, readdirSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { GROUPS } from '../lib/notices';
import { KINDS } from '../lib/history';
import { auditClasses } from './audit.ru';
import { en } from './en';
import { en as moneyEn } from './money.en';
import { ru as moneyRu } from './money.ru';
import { en as noticesEn } from './notices.en';
import { ru as noticesRu } from './notices.ru';
import { ru } from './ru';

vi.mock('../state/categories.svelte', () => ({ categories: { name: () => '' } }));
vi.mock('./index.svelte', () => ({ language: { current: 'en' }, t: () => en }));

const place = (path: string) => new URL(`../../../src/${path}`, import.meta.url);
const read = (path: string) => readFileSync(place(path), 'utf8');
const all = (text: string, pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map((match) => match[1]!))].sort();
/** The names that an enum of the server's is written with. */
const names = (path: string, type: string) => all(read(path), new RegExp(`\\b${type}::\\w+ => "([a-z_]+)"`, 'g'));

/** Of requests that this page does not make. */
const NOT_FOR_PEOPLE = [
  'unknown_type',
  'self_transfer',
  'unknown_user',
  'unknown_hold',
  'hold_expired',
  'hold_resolved',
  'currency_mismatch',
  'amount_mismatch',
  'balance_limit',
];

test('every refusal has a title and an advice', () => {
  const codes = all(read('http/error/codes.rs'), / = \d+ "([a-z_]+)"/g).filter((code) => !NOT_FOR_PEOPLE.includes(code));
  expect(codes.length).toBeGreaterThan(20);
  expect(codes.filter((code) => !en.errors[code] || !ru.errors[code])).toEqual([]);
  expect(Object.keys(ru.errors).sort()).toEqual(Object.keys(en.errors).sort());
});

test('every reason why a field cannot be used has words', () => {
  const reasons = names('domain/refusal.rs', 'Reason');
  expect(reasons.length).toBeGreaterThan(10);
  expect(reasons.filter((reason) => !en.reasons[reason] || !ru.reasons[reason])).toEqual([]);
});

test('every limit that one may meet has words', () => {
  const limits = names('domain/limits.rs', 'LimitName');
  expect(limits.length).toBeGreaterThan(4);
  for (const texts of [en, ru]) expect(Object.keys(texts.limits).sort()).toEqual(limits);
});

test('every event is a sentence, a choice in the settings, and in one group of them', () => {
  const events = names('domain/notice.rs', 'Event');
  expect(events.length).toBeGreaterThan(10);
  for (const texts of [noticesEn, noticesRu]) {
    expect(Object.keys(texts.says).sort()).toEqual(events);
    expect(Object.keys(texts.names).sort()).toEqual(events);
  }
  expect(Object.values(GROUPS).flat().sort()).toEqual(events);
});

test('every kind of entry has a name, and can be asked for', () => {
  const kinds = names('domain/ledger.rs', 'EntryKind');
  expect(kinds.length).toBeGreaterThan(8);
  expect(kinds.filter((kind) => !moneyEn.balance.kind[kind] || !moneyRu.balance.kind[kind])).toEqual([]);
  expect([...new Set(Object.values(KINDS).flat())].sort()).toEqual(kinds);
});

test('every class of the audit is told in Russian, too', () => {
  const files = readdirSync(place('store/audit'), { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.rs'));
  const slugs = all(files.map((path) => read(`store/audit/${path}`)).join('\n'), /slug: "([a-z_]+)"/g);
  expect(slugs.length).toBeGreaterThan(40);
  expect(slugs.filter((slug) => !auditClasses[slug])).toEqual([]);
});
