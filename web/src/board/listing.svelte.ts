/**
 * The lines of the board in their order: the live ones that fit the filter, and those that the server finds beside and behind them.
 *
 * The live ones are always preferred, for they are true. While the server has more, nothing is shown beyond the last line it has
 * told: what belongs between would push away what somebody reads. An order that is edited keeps its place until lines come or go.
 */
import { untrack } from 'svelte';
import type { HubMessage } from '../hub/messages';
import type { BoardOrder } from '../hub/protocol';
import { EVERYTHING, isFiltered, isSearch, matcher, queryOf, type BoardFilter, type Sort } from './filter';
import { FoundOrders } from './found.svelte';
import type { Row } from './row.svelte';
import type { BoardView } from './view.svelte';

/** Asked for when the typing rests. */
const REST_MS = 250;
/** The live board has a thousand orders, some of which may be leaving: with fewer than this it has all of them. */
const FULL = 900;

export class Listing {
  readonly found = new FoundOrders();
  filter = $state.raw<BoardFilter>(EVERYTHING);
  readonly fits = $derived(matcher(this.filter));
  /** Somebody is typing: what they want is not asked for yet. */
  resting = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #opened = false;

  constructor(private readonly view: BoardView) {}

  readonly rows: Row[] = $derived.by(() => {
    const { filter, fits, view } = this;
    const { rows } = view;
    const { rows: told, next } = this.found;
    if (!isFiltered(filter) && filter.sort === 'newest' && told.length === 0) return rows;
    return untrack(() => {
      // A word that the server has found may stand where the page does not look; the other rules it knows as well.
      const found = new Set(told.map((row) => row.id));
      const fitsBeside = matcher({ ...filter, text: '' });
      const shown = rows.filter((row) => fits(row.order) || (found.has(row.id) && fitsBeside(row.order)));
      const known = new Set(rows.map((row) => row.id));
      const before = beforeIn(filter.sort);
      const all = [...shown, ...told.filter((row) => !known.has(row.id))].sort((a, b) => before(a.order, b.order));
      const last = isSearch(filter) && next !== null ? told.at(-1) : undefined;
      return last ? all.filter((row) => before(row.order, last.order) <= 0) : all;
    });
  });

  /** There is, or may be, more than what is shown. */
  get hasMore(): boolean {
    return this.found.next !== null || (!this.found.asked && !isSearch(this.filter) && this.view.rows.length >= FULL);
  }

  change(filter: BoardFilter): void {
    clearTimeout(this.#timer);
    const isNew = queryOf(filter) !== queryOf(this.filter) || !this.#opened;
    this.#opened = true;
    this.filter = filter;
    if (!isNew) return;
    this.found.close();
    this.resting = isSearch(filter);
    if (!this.resting) return;
    this.#timer = setTimeout(() => {
      this.resting = false;
      void this.found.open(queryOf(filter));
    }, REST_MS);
  }

  /** The end is in sight. */
  more(): void {
    if (!this.hasMore || this.found.loading || this.found.failed) return;
    if (this.found.asked) return void this.found.nextPage();
    const last = this.view.rows.at(-1);
    if (last) void this.found.open(queryOf(this.filter), String(last.id));
  }

  hear(message: Extract<HubMessage, { kind: 'snapshot' | 'diff' }>): void {
    this.found.hear(message);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.found.close();
  }
}

/** Negative where `a` stands before `b`. */
function beforeIn(sort: Sort): (a: BoardOrder, b: BoardOrder) => number {
  if (sort === 'newest') return (a, b) => b.id - a.id;
  return (a, b) => b[sort] - a[sort] || b.id - a.id;
}
