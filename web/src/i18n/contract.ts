import { area } from './area';
import { en } from './contract.en';
import { ru } from './contract.ru';

/** The page of one order, and applications. */
export const contractText = area(en, ru);
