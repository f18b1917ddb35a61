/** Настройки. */
import { pluralizer } from './plural';
import type { SettingsTexts } from './settings.en';

const plural = pluralizer('ru');

export const ru: SettingsTexts = {
  nav: { label: 'Настройки', general: 'Общие', security: 'Безопасность' },
  general: { title: 'Настройки' },
  security: { title: 'Безопасность' },
  sessions: {
    title: 'Где вы вошли', text: 'Каждая строка — браузер или программа, которые могут действовать от вашего имени.',
    on: (browser, system) => `${browser}, ${system}`, unknown: 'Неизвестное устройство', program: 'Программа',
    current: 'этот сеанс', now: 'сейчас здесь', seen: (age) => `был здесь ${age} назад`, since: (when) => `вход ${when}`,
    close: 'Выйти там', closing: 'Выходим…', closed: 'Тот сеанс закрыт',
    others: 'Выйти везде, кроме этого', othersAsk: 'Выйти везде, кроме этого сеанса?',
    othersText: (n) => plural(n, { one: '# другой сеанс закончится сразу. Здесь вы останетесь.', few: '# других сеанса закончатся сразу. Здесь вы останетесь.', many: '# других сеансов закончатся сразу. Здесь вы останетесь.', other: '# другого сеанса закончатся сразу. Здесь вы останетесь.' }),
    othersClosed: 'Остался только этот сеанс',
    alone: 'Больше вы нигде не вошли.',
  },
};
