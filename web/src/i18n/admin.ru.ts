/** Страницы администратора. */
import type { AdminTexts } from './admin.en';

export const ru: AdminTexts = {
  nav: {
    label: 'Управление', money: 'Деньги', commission: 'Комиссия', payouts: 'Выводы', audit: 'Сверка',
  },
};
