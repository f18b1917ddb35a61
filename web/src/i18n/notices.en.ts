/** Notifications in English, and the shape of them in every other language. */
import { pluralizer } from './plural';

const plural = pluralizer('en');

/** What a sentence may be made of; a fact that is missing is an empty text. */
export type NoticeWords = { title: string; sum: string; by: string; category: string };

export const en = {
  title: 'Notifications', unread: (n: number) => plural(n, { one: '# unread', other: '# unread' }), isNew: 'new',
  empty: { title: 'Nothing yet', text: 'What happens to your orders, contracts and money while you look elsewhere is listed here.' },
  earlier: 'Earlier', today: 'Today', open: 'Open', manage: 'What to be told of',
  arrived: (n: number) => plural(n, { one: '# new notification', other: '# new notifications' }),
  /** One sentence each. */
  says: {
    order_new: ({ title, sum, category }) => `New order${category && ` in “${category}”`}: “${title}”, ${sum}`,
    chosen: ({ title, by }) => `${by} chose you for “${title}”`,
    declined: ({ title }) => `Somebody else was chosen for “${title}”`,
    work_confirmed: ({ title, sum }) => `“${title}” is confirmed: ${sum} earned`,
    work_rejected: ({ title, by }) => `${by} sent “${title}” back`,
    payout_approved: ({ sum }) => `Your withdrawal of ${sum} was paid`,
    payout_rejected: ({ sum }) => `Your withdrawal of ${sum} was rejected, the money is back`,
    applicant: ({ title, by }) => `${by} applied for “${title}”`,
    taken: ({ title, by }) => `${by} took “${title}”`,
    work_submitted: ({ title, by }) => `${by} submitted “${title}”: look at it and confirm`,
    topup: ({ sum }) => `${sum} is on your wallet`,
    debited: ({ title, sum }) => `${sum} was paid for “${title}”`,
    arbitrated: ({ title }) => `The dispute about “${title}” is decided`,
    password_changed: () => 'Your password was changed',
  } as Record<string, (words: NoticeWords) => string>,
  unknown: 'Something happened',
};

export type NoticesTexts = typeof en;
