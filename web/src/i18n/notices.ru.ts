/** Уведомления. */
import type { NoticesTexts } from './notices.en';
import { pluralizer } from './plural';

const plural = pluralizer('ru');

export const ru: NoticesTexts = {
  title: 'Уведомления', unread: (n) => plural(n, { one: '# новое', few: '# новых', many: '# новых', other: '# новых' }), isNew: 'новое',
  empty: { title: 'Пока пусто', text: 'Здесь будет всё, что случится с вашими заказами, контрактами и деньгами, пока вы смотрите в другую сторону.' },
  earlier: 'Раньше', today: 'Сегодня', open: 'Открыть', manage: 'О чём сообщать',
  arrived: (n) => plural(n, { one: '# новое уведомление', few: '# новых уведомления', many: '# новых уведомлений', other: '# нового уведомления' }),
  says: {
    order_new: ({ title, sum, category }) => `Новый заказ${category && ` в «${category}»`}: «${title}», ${sum}`,
    chosen: ({ title, by }) => `«${title}»: вас выбрал(а) ${by}`,
    declined: ({ title }) => `«${title}»: выбран другой исполнитель`,
    work_confirmed: ({ title, sum }) => `«${title}»: работа подтверждена, заработано ${sum}`,
    work_rejected: ({ title, by }) => `«${title}»: ${by} возвращает работу`,
    payout_approved: ({ sum }) => `Вывод ${sum} выплачен`,
    payout_rejected: ({ sum }) => `Вывод ${sum} отклонён, деньги вернулись`,
    applicant: ({ title, by }) => `«${title}»: откликнулся исполнитель ${by}`,
    taken: ({ title, by }) => `«${title}»: заказ взял исполнитель ${by}`,
    work_submitted: ({ title, by }) => `«${title}»: ${by} сдаёт работу, проверьте и подтвердите`,
    topup: ({ sum }) => `${sum} уже на кошельке`,
    debited: ({ title, sum }) => `«${title}»: оплачено ${sum}`,
    arbitrated: ({ title }) => `«${title}»: спор решён`,
    password_changed: () => 'Ваш пароль изменён',
  },
  unknown: 'Что-то произошло',
};
