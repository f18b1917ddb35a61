import { area } from './area';
import { en } from './people.en';
import { ru } from './people.ru';

/** Public profiles. */
export const peopleText = area(en, ru);
