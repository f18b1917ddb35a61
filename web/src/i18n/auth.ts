import { area } from './area';
import { en } from './auth.en';
import { ru } from './auth.ru';

/** Signing in and registering. */
export const authText = area(en, ru);
