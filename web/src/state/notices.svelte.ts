/**
 * How much one has not read, in step in all tabs and on all devices: the server counts, and its socket tells.
 * What a notification says arrives with the first one.
 */
import type { Notice } from '../hub/protocol';
import { live } from './live.svelte';
import { tabTitle } from './tabTitle.svelte';

class Notices {
  unread = $state(0);
  /** The server has told the count: it keeps one. */
  known = $state(false);
  readUpTo = $state(0);
  readonly #listeners = new Set<(notice: Notice) => void>();

  constructor() {
    live.onNoticeCount = ({ unread, read_up_to }) => {
      this.known = true;
      this.unread = tabTitle.unread = unread;
      this.readUpTo = Math.max(this.readUpTo, read_up_to);
    };
    live.onNotice = (notice, alerts) => {
      for (const listener of this.#listeners) listener(notice);
      void import('./noticeArrival').then(({ arrived }) => arrived(notice, alerts));
    };
  }

  /** Another user, or none. */
  forget(): void {
    this.unread = tabTitle.unread = this.readUpTo = 0;
  }

  onArrival(listener: (notice: Notice) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

export const notices = new Notices();
