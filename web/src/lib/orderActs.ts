/** What may be done with an order, by whom, in which state, and what has to be asked first. */
import type { Question } from '../components/AskDialog.svelte';
import type { OwnOrder } from '../hub/protocol';
import type { OrdersTexts } from '../i18n/orders.en';

export type Act = 'freeze' | 'unfreeze' | 'cancel' | 'confirm' | 'reject' | 'submit' | 'abandon' | 'dispute';

type Party = Pick<OwnOrder, 'status' | 'customer' | 'executor' | 'disputed_ms'>;

/** What takes an act back, for as long as nobody has built on it. */
export const UNDOES: Partial<Record<Act, Act>> = { freeze: 'unfreeze', unfreeze: 'freeze' };

/** The first one is the main one. The server decides again. */
export function actsFor(order: Party, meId: number | undefined, role: string | null): Act[] {
  if (meId === undefined) return [];
  if (role === 'customer' && order.customer.id === meId) {
    if (order.status === 'open') return ['freeze', 'cancel'];
    if (order.status === 'frozen') return ['unfreeze', 'cancel'];
    // In dispute the customer may still give in; everything else waits for the verdict.
    if (order.status === 'submitted') return isDisputed(order) ? ['confirm'] : ['confirm', 'reject', 'dispute'];
    if (order.status === 'in_work' && !isDisputed(order)) return ['dispute'];
  }
  if (role === 'executor' && order.executor?.id === meId && !isDisputed(order)) {
    if (order.status === 'in_work') return ['submit', 'abandon', 'dispute'];
    if (order.status === 'submitted') return ['dispute'];
  }
  return [];
}

/** Waits for an administrator's verdict. */
export function isDisputed({ status, disputed_ms }: Pick<OwnOrder, 'status' | 'disputed_ms'>): boolean {
  return disputed_ms !== null && (status === 'in_work' || status === 'submitted');
}

/** `null`: nothing to ask, the act is free and can be undone. */
export function questionFor(act: Act, order: OwnOrder, texts: OrdersTexts, money: (minor: number) => string): Question | null {
  const { ask } = texts.order;
  switch (act) {
    case 'cancel':
      return { title: ask.cancel.title, text: ask.cancel.text(money(order.price)), yes: ask.cancel.yes, danger: true };
    case 'confirm':
      return { title: ask.confirm.title, text: ask.confirm.text(money(order.price)), yes: ask.confirm.yes };
    case 'abandon':
      return { title: ask.abandon.title, text: ask.abandon.text(money(order.payout)), yes: ask.abandon.yes, danger: true };
    case 'reject':
      return { title: ask.reject.title, label: ask.reject.label, required: true, yes: ask.reject.yes, danger: true };
    case 'dispute':
      return { title: ask.dispute.title, text: ask.dispute.text, label: ask.dispute.label, required: true, yes: ask.dispute.yes };
    case 'submit':
      return { title: ask.submit.title, label: ask.submit.label, yes: ask.submit.yes };
    default:
      return null;
  }
}

/** The body of the request: the words asked for, under the name the server gives them. */
export function bodyOf(act: Act, words: string): Record<string, string> | undefined {
  if (act === 'reject' || act === 'dispute') return { reason: words };
  if (act === 'submit') return words === '' ? {} : { report: words };
  return undefined;
}
