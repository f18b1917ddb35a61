import { area } from './area';
import { en } from './sources.en';
import { ru } from './sources.ru';

/** Where answers come from, and how old they are. */
export const sourcesText = area(en, ru);
