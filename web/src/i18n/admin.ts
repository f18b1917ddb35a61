import { area } from './area';
import { en } from './admin.en';
import { ru } from './admin.ru';

/** The administrators' pages. */
export const adminText = area(en, ru);
