/**
 * Short news in a corner: what one's own press led to, and what happened elsewhere meanwhile. Nothing
 * is told here alone: a toast that was missed can be found on the page it speaks of.
 */

export type ToastKind = 'success' | 'info' | 'error';
type Action = { label: string; onClick: () => void };
type Options = { description?: string; duration?: number; action?: Action };
export type Toast = Options & { id: number; kind: ToastKind; title: string };

const SHOWN_MS = 5_000;
/** An error is read slower. */
const ERROR_MS = 8_000;
/** More at once is a wall: the oldest gives way. */
const SHOWN_MAX = 4;

class Toasts {
  items = $state.raw<Toast[]>([]);
  #next = 1;
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();

  show(kind: ToastKind, title: string, options: Options): number {
    const toast: Toast = { ...options, id: this.#next++, kind, title };
    const items = [...this.items, toast];
    for (const old of items.slice(0, -SHOWN_MAX)) this.dismiss(old.id);
    this.items = items.slice(-SHOWN_MAX);
    this.resume(toast);
    return toast.id;
  }

  dismiss(id: number): void {
    this.pause(id);
    this.items = this.items.filter((one) => one.id !== id);
  }

  /** While somebody points at it or has focus in it, it stays. */
  pause(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  resume(toast: Toast): void {
    const shown = toast.duration ?? (toast.kind === 'error' ? ERROR_MS : SHOWN_MS);
    this.pause(toast.id);
    if (Number.isFinite(shown)) this.#timers.set(toast.id, setTimeout(() => this.dismiss(toast.id), shown));
  }
}

export const toasts = new Toasts();

export const toast = {
  success: (title: string, options: Options = {}) => toasts.show('success', title, options),
  info: (title: string, options: Options = {}) => toasts.show('info', title, options),
  error: (title: string, options: Options = {}) => toasts.show('error', title, options),
  dismiss: (id: number) => toasts.dismiss(id),
};
