/** Texts of one area of the page: they travel with the pages that show them and not with the first load. */
import { language } from './index.svelte';

/** A function that answers the texts in the language in force; the other language must have every one of them, too. */
export function area<T>(en: T, ru: NoInfer<T>): () => T {
  return () => (language.current === 'ru' ? ru : en);
}
