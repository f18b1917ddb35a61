import { area } from './area';
import { en } from './notices.en';
import { ru } from './notices.ru';

/** What people are told, and how they want to be told. */
export const noticesText = area(en, ru);
