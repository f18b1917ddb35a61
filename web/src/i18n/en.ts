/** English, and the shape every other dictionary must have. */
import { pluralizer } from './plural';

const plural = pluralizer('en');

type Explained = { title: string; advice: string };

export const en = {
  name: 'English',
  brand: 'orderboard',
  decimalSign: '.',
  nav: {
    board: 'Board', mine: 'My orders', contracts: 'My contracts', create: 'New order', balance: 'Balance',
    settings: 'Settings', admin: 'Administration', signIn: 'Sign in', signOut: 'Sign out', register: 'Create account',
    main: 'Main navigation', skip: 'Skip to content', account: 'Account menu', news: 'News',
    notices: (n: number) => plural(n, { one: 'Notifications, # unread', other: 'Notifications, # unread' }),
  },
  roles: { customer: 'Customer', executor: 'Executor', admin: 'Administrator' },
  link: {
    connecting: 'Connecting…', live: 'Live', reconnecting: 'Reconnecting…', offline: 'Offline',
    stale: (s: number) => `Stale ${s} s`,
    hint: {
      live: 'The board is live: every change arrives as it happens.',
      other: 'The board may be out of date. Accept is off until the connection is back.',
    },
  },
  common: {
    cancel: 'Cancel', close: 'Close', save: 'Save', more: 'Show more', loading: 'Loading…', retry: 'Try again',
    back: 'Back', yes: 'Yes', optional: 'optional', all: 'All', none: '—',
    earned: (sum: string) => `Earned ${sum}`,
  },
  board: {
    title: 'Open orders', subtitle: (n: number) => plural(n, { one: '# order', other: '# orders' }),
    column: { order: 'Order', price: 'Price', payout: 'You get', executorGets: 'Executor gets', age: 'Posted', action: 'Action' },
    search: 'Filter', searchKey: 'Press / to filter', category: 'Category', allCategories: 'All categories',
    pause: 'Pause', resume: 'Resume', paused: 'Paused',
    accept: 'Accept', accepting: 'Accepting…', checking: 'Checking…', finishing: 'Finishing…',
    takeAndFinish: 'Take and finish', own: 'Your order', openContract: 'Open contract', contract: 'Contract', won: 'Yours', done: 'Done', finish: 'Finish',
    newOrders: (n: number) => plural(n, { one: '# new order', other: '# new orders' }),
    digest: (fresh: number, taken: number) => `${fresh} new, ${taken} taken`,
    applicants: (n: number) => plural(n, { one: '# applicant', other: '# applicants' }),
    gone: { taken: 'Taken', cancelled: 'Cancelled by the customer', frozen: 'Put on hold by the customer', window: 'Moved past the live window', gone: 'No longer open' },
    guest: 'You are watching as a guest. Sign in as an executor to take orders.',
    asCustomer: 'You are signed in as a customer. Sign in as an executor to take orders.',
    takenBy: (name: string, at: string) => `Taken by ${name} at ${at}`,
    before: (ms: number) => `${ms} ms before you`, after: (ms: number) => `${ms} ms after your click`,
    sameMoment: 'at the very moment of your click',
    lost: {
      frozen: 'The customer has just put this order on hold.', cancelled: 'The customer has just cancelled this order.',
      own_order: 'This is your own order: somebody else has to take it.',
      stale: 'The order changed while you were looking. Check it and press Accept again.',
      not_found: 'This order is no longer there.', taken: 'Somebody else took this order.',
      released: 'The order was not taken: the connection failed first. You can press Accept again.',
      chosen: 'For this order the customer chooses among applicants.',
    },
    announceWon: (title: string) => `You took “${title}”.`,
    announceLost: (title: string, why: string) => `“${title}”: ${why}`,
    wonToast: 'The order is yours', doneToast: 'Taken, finished and paid',
    empty: { title: 'No open orders right now', text: 'New orders appear here by themselves the moment they are posted.' },
    emptyFilter: { title: 'Nothing matches your filters', text: 'There are open orders, but none with these words or in this category.', clear: 'Clear filters' },
    failed: { title: 'The board cannot be loaded', text: 'The server did not answer. The page keeps trying by itself.' },
    offline: { title: 'You are offline', text: 'The device has no network. The board comes back by itself as soon as the network does.' },
    keys: {
      title: 'Keyboard', jk: 'Next / previous order', a: 'Accept the chosen order', n: 'Show new orders', p: 'Pause or resume',
      slash: 'Filter', help: 'This help', enter: 'Open the chosen order', esc: 'Leave the list',
    },
  },
  settings: {
    language: 'Language', theme: 'Theme', themes: { light: 'Light', dark: 'Dark', system: 'System' },
  },
  notFound: { title: 'There is no such page', text: 'The address is wrong, or the page has moved.', home: 'To the board' },
  forbidden: { title: 'This page is for another role', text: (role: string) => `Sign in as ${role.toLowerCase()} to see it.`, },
  update: { text: 'A new version is ready.', reload: 'Reload' },
  errors: {
    invalid: { title: 'Something is not filled in right', advice: 'Correct the marked field and send again.' },
    unauthenticated: { title: 'You are not signed in', advice: 'Your session has ended. Sign in and repeat.' },
    forbidden: { title: 'Your role may not do this', advice: 'Sign in with another role and repeat.' },
    not_found: { title: 'Not found', advice: 'It does not exist or is not yours to see. Go back and look again.' },
    mismatch: { title: 'This form was already sent with other content', advice: 'Nothing was done twice. Send again to make a new attempt.' },
    taken: { title: 'Somebody else took it', advice: 'Choose another order on the board.' },
    frozen: { title: 'The order is on hold', advice: 'Wait until the customer reopens it.' },
    cancelled: { title: 'The order is cancelled', advice: 'Choose another one.' },
    own_order: { title: 'This is your own order', advice: 'Somebody else has to take it.' },
    stale: { title: 'The order has changed meanwhile', advice: 'Nothing was done. Look at its state and decide again.' },
    insufficient_funds: { title: 'Not enough money on the wallet', advice: 'Nothing was posted. Top up and repeat.' },
    email_taken: { title: 'This e-mail already has an account', advice: 'Sign in with it, or take another e-mail.' },
    wrong_credentials: { title: 'E-mail or password is wrong', advice: 'Check both and the keyboard layout, then repeat.' },
    wrong_password: { title: 'This is not your present password', advice: 'Nothing was changed. Check the keyboard layout and repeat.' },
    link_over: { title: 'This link works no more', advice: 'It was used, is too old, or a newer one was sent. Ask for a new one.' },
    no_mail: { title: 'No mail is sent from here', advice: 'No link can come by mail. Ask the administrators.' },
    user_closed: { title: 'This account is closed', advice: 'Its money stands still. Write to support if this is a mistake.' },
    nothing_to_sweep: { title: 'Nothing to move', advice: 'There is no free money among the earnings.' },
    limit: { title: 'Too many requests', advice: 'The server asks for a pause. Repeat a little later.' },
    unavailable: { title: 'The service is briefly unavailable', advice: 'Your data are safe. Repeat in a few seconds.' },
    network: { title: 'The server did not answer', advice: 'It is unknown whether it was done. Check the connection; repeating is safe.' },
    method_not_allowed: { title: 'The page and the server disagree', advice: 'Reload the page and repeat.' },
    internal: { title: 'The server failed', advice: 'It is our fault and has been recorded. Repeat a little later.' },
  } as Record<string, Explained>,
  retryIn: (s: number) => plural(s, { one: 'Repeat in # second.', other: 'Repeat in # seconds.' }),
  reasons: {
    required: 'Fill this in.', too_long: 'Too long.', too_short: 'Too short.', control_characters: 'Contains characters that cannot be used.',
    not_positive: 'Has to be more than zero.', too_large: 'Too large.', too_small: 'Too small.', unknown: 'There is no such value.', malformed: 'Not written right.',
    email: 'Not an e-mail address.', currency: 'There is no such currency.', payout_zero: 'Too little: the executor would get nothing.', role: 'This account has no such role.',
    money: 'Write a sum such as 1,234.50.',
  } as Record<string, string>,
};

export type Dictionary = typeof en;
