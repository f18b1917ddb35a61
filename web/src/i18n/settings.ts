import { area } from './area';
import { en } from './settings.en';
import { ru } from './settings.ru';

/** One's settings, sessions and passwords. */
export const settingsText = area(en, ru);
