import { area } from './area';
import { en } from './orders.en';
import { ru } from './orders.ru';

/** The pages of orders and contracts. */
export const ordersText = area(en, ru);
