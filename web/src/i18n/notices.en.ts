/** Notifications in English, and the shape of them in every other language. */
import { pluralizer } from './plural';

const plural = pluralizer('en');

/** What a sentence may be made of; a fact that is missing is an empty text. */
export type NoticeWords = { title: string; sum: string; by: string; category: string; verdict: string };

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
    applicant: ({ title, by, sum }) => `${by} applied for “${title}” and asks ${sum}`,
    taken: ({ title, by }) => `${by} took “${title}”`,
    work_submitted: ({ title, by }) => `${by} submitted “${title}”: look at it and confirm`,
    topup: ({ sum }) => `${sum} is on your wallet`,
    debited: ({ title, sum }) => `${sum} was paid for “${title}”`,
    arbitrated: ({ title, verdict }) => `The dispute about “${title}” is decided${verdict === 'pay' ? ': the executor is paid' : verdict === 'refund' ? ': the money returns to the customer' : ''}`,
    password_changed: () => 'Your password was changed',
  } as Record<string, (words: NoticeWords) => string>,
  unknown: 'Something happened',
  /** What happens, as a choice in the settings. */
  names: {
    order_new: 'A new order you follow', chosen: 'A customer chooses you', declined: 'Somebody else is chosen', work_confirmed: 'Your work is confirmed',
    work_rejected: 'Your work is sent back', payout_approved: 'A withdrawal is paid', payout_rejected: 'A withdrawal is rejected', applicant: 'Somebody applies for your order',
    taken: 'Your order is taken', work_submitted: 'Work is submitted to you', topup: 'The wallet is topped up', debited: 'An order is paid from the wallet',
    arbitrated: 'A dispute is decided', password_changed: 'The password is changed',
  } as Record<string, string>,
  settings: {
    nav: 'Notifications', title: 'Notifications', groups: { executor: 'When you work', customer: 'When you order', both: 'In any case' },
    ways: { app: 'On the page', mail: 'By e-mail', telegram: 'Telegram' }, events: 'What to be told of, and how', event: 'What happens',
    noMail: 'No e-mail is sent from here.', noTelegram: 'Nothing is sent to Telegram from here.', linkFirst: 'Telegram: link a chat below, and what is ticked goes there.',
    always: 'The letter about a new password always comes: it may not have been you.', choice: (event: string, way: string) => `${event}: ${way.toLowerCase()}`,
  },
  telegram: {
    title: 'Telegram', text: 'Messages of your choice arrive in a chat with our bot.', linked: 'A chat is linked', begin: 'Link a chat', again: 'Get another code',
    open: 'Open Telegram', or: 'Or write this to the bot yourself:', left: (time: string) => `Good for ${time} more and for one chat. This page notices by itself.`,
    over: 'The code is no longer good.', done: 'The chat is linked', unlink: 'Unlink', unlinked: 'Nothing is sent to Telegram any more',
    ask: { title: 'Unlink the chat?', text: 'Nothing more is sent there. You can link it again at any time.', yes: 'Unlink' },
  },
  follow: {
    title: 'New orders', text: 'Be told the moment an order of these categories is posted.', category: 'Category', all: 'Every category', from: 'From, ₽', fromHint: 'any price',
    add: 'Follow', added: (name: string) => `You follow “${name}”`, end: (name: string) => `Stop following “${name}”`, ended: (name: string) => `You no longer follow “${name}”`, undo: 'Undo',
    floor: (sum: string) => `from ${sum}`, any: 'any price', sound: 'Sound', system: 'System notification', save: 'Save the price', saved: 'Saved', change: (name: string) => `“${name}”: from, ₽`,
    none: { title: 'You follow nothing yet', text: 'Choose a category, and from which price an order is worth your while.' },
    askSound: { title: 'Play a sound?', text: 'One short chime for a new order, in one tab only, also while you look at another page. The browser lets a page sound once you have pressed something on it.', yes: 'Play it now' },
    askSystem: { title: 'Show system notifications?', text: 'While this page is hidden, new orders appear where your system shows its notifications, on this device only. The browser asks next; without its permission nothing is shown.', yes: 'Go on' },
    denied: { title: 'The browser does not allow notifications', advice: 'Allow them for this site in the browser’s settings, then try again.' },
    unsupported: 'This browser has no system notifications.',
  },
};

export type NoticesTexts = typeof en;
