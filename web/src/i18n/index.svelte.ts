/**
 * The page's language. `t()` is the dictionary of the language in force: a missing or misspelt text
 * does not compile, because `ru` must have the type of `en`.
 */
import { en, type Dictionary } from './en';
import { ru } from './ru';

export type Lang = 'ru' | 'en';

const dictionaries: Record<Lang, Dictionary> = { en, ru };
const YEAR_S = 31_536_000;

class Language {
  /** The server wrote it from the cookie, or from Accept-Language when there is none. */
  current = $state<Lang>(document.documentElement.lang === 'ru' ? 'ru' : 'en');

  choose(lang: Lang): void {
    this.current = lang;
    document.documentElement.lang = lang;
    document.cookie = `lang=${lang}; Path=/; Max-Age=${YEAR_S}; SameSite=Lax`;
  }
}

export const language = new Language();

export function t(): Dictionary {
  return dictionaries[language.current];
}
