import { area } from './area';
import { en } from './filters.en';
import { ru } from './filters.ru';

/** What the board is filtered by. */
export const filtersText = area(en, ru);
