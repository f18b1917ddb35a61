/** The tab's title: the page's name behind the number of what waits to be looked at. */
import { t } from '../i18n/index.svelte';

class TabTitle {
  #name = $state('');
  #fresh = $state(0);
  unread = $state(0);

  constructor() {
    $effect.root(() => {
      $effect(() => {
        if (this.#name === '') return;
        const waiting = this.unread + this.#fresh;
        document.title = `${waiting > 0 ? `(${waiting}) ` : ''}${this.#name} — ${t().brand}`;
      });
    });
  }

  /** `fresh`: what the page itself keeps back until somebody asks for it. */
  show(name: string, fresh = 0): void {
    this.#name = name;
    this.#fresh = fresh;
  }
}

export const tabTitle = new TabTitle();
