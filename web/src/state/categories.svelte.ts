/** The categories, asked for once. */
import { call } from '../lib/api';
import type { Category } from '../lib/types';
import { language } from '../i18n/index.svelte';

class Categories {
  items = $state.raw<Category[]>([]);
  #asked: Promise<void> | null = null;

  load(): void {
    this.#asked ??= call<{ items: Category[] }>('GET', '/api/categories').then(
      (answer) => void (this.items = answer.items),
      () => void (this.#asked = null),
    );
  }

  /** They were changed here. */
  reload(): void {
    this.#asked = null;
    this.load();
  }

  name(slug: string | null): string {
    if (slug === null) return '';
    const found = this.items.find((one) => one.slug === slug);
    if (!found) return slug;
    return language.current === 'ru' ? found.name_ru : found.name_en;
  }
}

export const categories = new Categories();
