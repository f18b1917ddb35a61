import { area } from './area';
import { en } from './money.en';
import { ru } from './money.ru';

/** The pages of money. */
export const moneyText = area(en, ru);
