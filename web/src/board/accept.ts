/**
 * Taking an order: the one press this page exists for.
 *
 * Never optimistic. Every press ends in the server's own answer; when that answer is lost, the page asks
 * again. Asking is safe because the winner's repeated accept is a success.
 */
import type { BoardOrder, Person } from '../hub/protocol';
import { ApiError, call } from '../lib/api';
import { hedged } from '../lib/hedge';
import type { OrderFull } from '../lib/types';
import type { Changes, Loss, Row, Try } from './row.svelte';

/** Past this age the press no longer speaks for its owner: only ask what happened, do not take. */
const REPEAT_FOR_MS = 10_000;
const ASK_GAP_MS = 1_000;
/** Of one question; another one is asked each second meanwhile. */
const ACCEPT_TIMEOUT_MS = 4_000;

const LOSSES = new Set<string>(['taken', 'frozen', 'cancelled', 'own_order', 'stale', 'not_found', 'chosen']);

type Deps = { meId: number; nowMs: () => number; wait?: (ms: number) => Promise<void> };

/** Press Accept, for the order as it was seen. Resolves when the outcome is known; the row tells each step meanwhile. */
export async function acceptOrder(row: Row, deps: Deps): Promise<Try> {
  if (row.busy || row.gone !== null || row.attempt.phase === 'won') return row.attempt;
  const click_ms = deps.nowMs();
  const body = { version: row.seenVersion };
  row.attempt = { phase: 'accepting', click_ms };
  const send = (signal: AbortSignal) => call('POST', `/api/orders/${row.id}/accept`, { body, timeoutMs: ACCEPT_TIMEOUT_MS, signal });
  for (;;) {
    try {
      await hedged(send, (error) => !(error instanceof ApiError && error.outcomeUnknown));
      return (row.attempt = won());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!error.outcomeUnknown) return (row.attempt = refusal(row, error, click_ms, deps.meId));
    }
    row.attempt = { phase: 'checking', click_ms };
    await (deps.wait ?? pause)(ASK_GAP_MS);
    if (deps.nowMs() - click_ms > REPEAT_FOR_MS) return (row.attempt = await ask(row, click_ms, deps));
  }
}

/** Take and finish in one press, for orders that are settled when submitted. */
export async function acceptAndFinish(row: Row, deps: Deps): Promise<Try> {
  const taken = await acceptOrder(row, deps);
  if (taken.phase !== 'won') return taken;
  row.attempt = { phase: 'finishing' };
  try {
    await call('POST', `/api/orders/${row.id}/submit`, { body: {} });
    return (row.attempt = { phase: 'won', finished: true, at_ms: Date.now() });
  } catch {
    // Taken for certain, finished perhaps: the contract page says, and offers to submit.
    return (row.attempt = won());
  }
}

async function ask(row: Row, click_ms: number, deps: Deps): Promise<Try> {
  for (;;) {
    try {
      const order = await call<OrderFull>('GET', `/api/orders/${row.id}`);
      if (order.executor?.id === deps.meId) return won();
      return lost(order.status === 'open' ? 'released' : 'taken', click_ms, order.executor, order.accepted_ms);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // 404 is what a stranger gets for an order that is somebody's contract now.
      if (error.code === 'not_found') return lost('taken', click_ms, null, null);
      if (!error.outcomeUnknown) return refused(error);
    }
    await (deps.wait ?? pause)(2 * ASK_GAP_MS);
  }
}

function refusal(row: Row, error: ApiError, click_ms: number, meId: number): Try {
  const { code, facts } = error.problem;
  if (code === 'changed') {
    const now = facts['order'] as BoardOrder;
    if (now.version > row.order.version) row.order = now;
    return { phase: 'changed', changes: facts['changes'] as Changes, at_ms: Date.now() };
  }
  if (!LOSSES.has(code)) return refused(error);
  const by = (facts['by'] as Person | undefined) ?? null;
  if (code === 'taken' && by?.id === meId) return won();
  return lost(code as Loss, click_ms, by, typeof facts['at_ms'] === 'number' ? facts['at_ms'] : null);
}

function won(): Try {
  return { phase: 'won', finished: false, at_ms: Date.now() };
}

function lost(why: Loss, click_ms: number, by: Person | null, taken_ms: number | null): Try {
  return { phase: 'lost', why, by, taken_ms, click_ms, at_ms: Date.now() };
}

function refused(error: ApiError): Try {
  return { phase: 'refused', code: error.code, retry_s: error.problem.retryAfterS, at_ms: Date.now() };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
