/** Публичные профили. */
import type { PeopleTexts } from './people.en';

export const ru: PeopleTexts = {
  since: (when) => `Здесь с ${when}`, you: 'Так вас видят другие.', edit: 'Изменить профиль',
  customer: 'Как заказчик', executor: 'Как исполнитель',
  created: 'Создано заказов', done: 'Выполнено заказов', money: 'Деньги в заказах', completed: 'Выполнено заказов', earned: 'Заработано', nothing: 'нет',
  open: 'Открытые заказы',
  noOrders: 'Сейчас открытых заказов нет.',
  notFound: { title: 'Здесь никого нет', text: 'Адрес неверен: такого профиля нет.' },
};
