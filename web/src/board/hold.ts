/**
 * Is somebody at the list? While they are, its lines must not move.
 *
 * Held by: a pointer over it, focus in it, a touch in the last seconds, being scrolled down, the Pause
 * button, and a pointer on the move anywhere, because it may arrive just as a line would jump.
 */

const TOUCH_MS = 4_000;
const APPROACH_MS = 600;

export class Hold {
  paused = false;
  #pointer = false;
  #focus = false;
  #scrolled = false;
  #touchedUntil = 0;
  #movingUntil = 0;

  get held(): boolean {
    const now = Date.now();
    return this.paused || this.#pointer || this.#focus || this.#scrolled || now < this.#touchedUntil || now < this.#movingUntil;
  }

  /** Attach to the list. Returns what undoes it. */
  watch(list: HTMLElement): () => void {
    const stop = new AbortController();
    const on = (target: EventTarget, type: string, heard: (event: never) => void) =>
      target.addEventListener(type, heard as (event: Event) => void, { signal: stop.signal, passive: true });
    on(list, 'pointerenter', (event: PointerEvent) => (this.#pointer = event.pointerType !== 'touch'));
    on(list, 'pointerleave', () => (this.#pointer = false));
    on(list, 'focusin', () => (this.#focus = true));
    on(list, 'focusout', (event: FocusEvent) => (this.#focus = list.contains(event.relatedTarget as Node | null)));
    on(list, 'touchstart', () => (this.#touchedUntil = Date.now() + TOUCH_MS));
    on(list, 'touchmove', () => (this.#touchedUntil = Date.now() + TOUCH_MS));
    on(list, 'scroll', () => (this.#scrolled = list.scrollTop > 4));
    on(window, 'pointermove', (event: PointerEvent) => {
      if (event.pointerType !== 'touch') this.#movingUntil = Date.now() + APPROACH_MS;
    });
    // A pointer that left the window fires no leave on the list.
    on(document.documentElement, 'pointerleave', () => (this.#pointer = false));
    return () => stop.abort();
  }
}
