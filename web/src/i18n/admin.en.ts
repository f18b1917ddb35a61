/** The administrators' pages in English, and the shape of them in every other language. */

import { pluralizer } from './plural';

const plural = pluralizer('en');

/** Sums and names of a dispute, as they are written. */
export type Sums = { price: string; payout: string; commission: string; customer: string; executor: string };

export const en = {
  nav: {
    label: 'Administration', overview: 'Overview', market: 'Market', orders: 'Orders', disputes: 'Disputes', users: 'People', categories: 'Categories', money: 'Money', commission: 'Commission',
    payouts: 'Withdrawals', audit: 'Audit', works: 'Works', deliveries: 'Deliveries', limits: 'Limits', debug: 'Debug, caches',
  },
  users: {
    title: 'People', search: 'Number, or how a name or e-mail begins', admin: 'administrator', closed: 'closed', number: 'Number', email: 'E-mail', language: 'Language of letters',
    since: 'Registered', closedAt: 'Closed', sessions: 'Sessions', seen: 'Last seen', money: 'Money', account: 'Account', noMoney: 'No accounts yet.', close: 'Close the account', reopen: 'Open again',
    empty: { title: 'Nobody found', text: 'Names and e-mails are looked for by how they begin.' },
    figures: {
      customer: { count: 'Orders posted', money: 'Money in orders', orders: 'Their orders' },
      executor: { count: 'Orders completed', money: 'Money received', orders: 'Their contracts' },
    },
    ask: {
      close: { title: (name: string) => `Close the account of ${name}?`, text: 'They are signed out everywhere and cannot sign in. Their money stands still; what is held is still paid or returned. You can open it again.', yes: 'Close it' },
      reopen: { title: (name: string) => `Open the account of ${name} again?`, text: 'They can sign in and move their money again.', yes: 'Open it' },
    },
    did: { close: (name: string) => `${name} is signed out and cannot sign in`, reopen: (name: string) => `${name} can sign in again` },
  },
  orders: {
    title: 'Orders', search: 'Number, or part of a title', status: 'State', anyStatus: 'Any state', drop: 'show all',
    empty: { title: 'No such orders', text: 'Nothing fits these filters.' }, further: { title: 'Not among the newest', text: 'There are older orders to look through.' },
  },
  disputes: {
    title: 'Disputes', chip: 'in dispute', text: 'A side asks for a verdict. Until then nothing is confirmed by itself; the customer may still confirm.',
    empty: { title: 'Nobody waits for a verdict', text: 'Contracts whose sides disagree appear here.' },
  },
  order: {
    number: 'Number', dispute: 'What the dispute is about', events: 'What happened', asSeen: 'As its two sides see it',
  },
  verdict: {
    title: 'Your verdict', comment: 'Reason, read by both sides', decide: 'Decide', done: 'The verdict is in force, both sides are told',
    choice: {
      pay: { title: 'Pay the executor', text: (s: Sums) => `${s.payout} to ${s.executor}, ${s.commission} commission` },
      refund: { title: 'Return to the customer', text: (s: Sums) => `${s.price} to ${s.customer}, no commission` },
    },
    ask: {
      pay: { title: (s: Sums) => `Pay ${s.payout} to ${s.executor}?`, text: (s: Sums) => `${s.customer} pays the ${s.price} that are held; ${s.commission} of it is the commission. It cannot be undone.`, yes: (s: Sums) => `Pay ${s.payout}` },
      refund: { title: (s: Sums) => `Return ${s.price} to ${s.customer}?`, text: (s: Sums) => `${s.executor} gets nothing, and the order has failed. It cannot be undone.`, yes: (s: Sums) => `Return ${s.price}` },
    },
  },
  deliveries: {
    title: 'Letters and messages', text: 'What could not be sent is here until somebody has it tried again.', channel: 'Channel', channels: { mail: 'E-mail', telegram: 'Telegram' }, refresh: 'Refresh',
    state: 'State', states: { dead: 'Given up', waiting: 'Waiting', sent: 'Sent' }, letters: { password_reset: 'New password, link', password_changed: 'The password is changed', email_changed: 'The e-mail is changed', notice: 'Notification' } as Record<string, string>,
    to: (id: number) => `to user ${id}`, made: 'made', due: 'next try', until: 'wanted until', done: { sent: 'sent', dead: 'given up' }, attempts: (n: number) => plural(n, { one: '# attempt', other: '# attempts' }), again: 'It is tried again',
    empty: {
      dead: { title: 'Nothing was given up', text: 'Everything was sent, or is still being tried.' }, waiting: { title: 'Nothing waits', text: 'What is written is sent at once, or here.' },
      sent: { title: 'Nothing was sent yet', text: 'What was sent stays here for thirty days.' },
    },
  },
  limits: {
    title: 'Limits', text: 'What one caller may ask of the house, on every node. What is left empty is as each node was started.', saved: 'The limits are in force on all nodes within seconds',
    names: {
      requests_s: 'Requests a second', requests_burst: 'Requests at once, after a rest', requests_min: 'Requests a minute', accepts_s: 'Orders taken a second', orders_day: 'Orders posted in 24 hours',
      attempts_address: 'Attempts to sign in from one address, in 15 minutes', attempts_email: 'Attempts to sign in with one e-mail, in 15 minutes',
    },
    none: 'no limit', hint: (figure: string) => `Started with: ${figure}. 0 limits nothing.`, now: (figure: string) => `now ${figure}`,
    met: 'Refused by this node in the last hour', nobody: 'Nobody.', most: 'Most often', user: (id: number) => `User ${id}`,
  },
  debug: {
    title: 'Debug mode', text: 'Every MySQL and Redis call of each request, with its time, as this node has seen them. Values are never shown. A single request is watched with the header X-Debug: 1.', refresh: 'Refresh',
    on: (left: string) => `On for all nodes, for ${left} more`, off: 'Off', turnOn: 'Switch on', turnOff: 'Switch off', howLong: 'For how long', minutes: (n: number) => plural(n, { one: '# minute', other: '# minutes' }),
    empty: { title: 'No requests were watched', text: 'Switch it on, and what is asked of this node appears here.' }, noCalls: 'It asked nothing of MySQL or Redis.',
    leftOut: (n: number) => plural(n, { one: 'and # more call', other: 'and # more calls' }),
  },
  caches: {
    title: 'What this node remembers', text: 'Read again from the database after a while, and at once when it changes. Clearing is safe: the next who asks waits a little longer.', clear: 'Clear on all nodes', cleared: 'All nodes have forgotten it',
    names: { names: 'Names of people', accounts: 'Whose account is which', sessions: 'Sessions', categories: 'Categories', open_orders: 'Open orders' } as Record<string, string>,
  },
  figures: {
    title: 'Overview', text: (node: string) => `The last hour of node ${node}, a point every ten seconds. Other nodes tell their own.`, perSecond: 'a second', open: 'open', taken: 'Orders taken', sockets: 'Websockets',
    acceptTime: 'Taking takes', time: 'Answers take', requests: 'Requests', errors: 'Errors of ours', ms: (n: string) => `${n} ms`, asTable: 'The figures as a table', until: 'Until',
    routes: 'By route, since the start', route: 'Route', count: 'Requests', faults: 'Errors', recent: 'The last errors of ours', noErrors: 'None since the node was started.',
  },
  categories: {
    title: 'Categories', text: 'Each has its own live board. A hidden one takes no new orders; those it has stay.',
    add: 'New category', edit: 'Change', slug: 'Name in addresses', slugHint: 'Latin letters, digits and hyphens; cannot be changed later', ru: 'In Russian', en: 'In English',
    create: 'Add', created: 'The category is on every board now', saved: 'Saved', hidden: 'hidden', hide: 'Hide', show: 'Show', up: (name: string) => `Move “${name}” up`, down: (name: string) => `Move “${name}” down`,
    hid: (name: string) => `“${name}” takes no new orders`, shown: (name: string) => `“${name}” takes orders again`, undo: 'Undo',
    empty: { title: 'No categories yet', text: 'Orders can be posted without one. Add the first, and it gets a board of its own at once.' },
  },
  commission: {
    title: 'Commission', text: 'In force for orders posted from now on. An order keeps the policy it was made with.',
    rate: 'Rate, %', floor: 'Floor, %', mode: 'Mode', modes: { round: 'Round', exact: 'Exact' },
    modeHint: { round: 'Both sums look nice; the commission varies between floor and rate.', exact: 'The rate to the kopeck, rounded up.' },
    saved: 'The policy is in force', preset: (percent: string) => `Preset ${percent}`, example: 'What it means', badPercent: 'A number from 0 to 99.99',
  },
  audit: {
    nav: 'Audit', title: 'Audit', text: 'Checks on one consistent picture, while everything works, that orders and money agree to the last kopeck.',
    run: 'Check now', running: 'Checking…', repair: 'Repair what is safe', repairing: 'Repairing…',
    ask: {
      title: 'Repair what is safe?', yes: 'Repair',
      text: 'Rows that contradict the history are written again from it, and money that is owed moves as it should have. Each repair is an operation of its own; what is not safe is left for you.',
    },
    clean: (n: number) => plural(n, { one: '# invariant holds', other: 'All # invariants hold' }),
    broken: (n: number) => plural(n, { one: '# invariant does not hold', other: '# invariants do not hold' }),
    mended: (n: number) => plural(n, { one: '# repair', other: '# repairs' }),
    canRepair: 'What is safe of it can be repaired here.', left: 'Not repaired', more: '… and more', fine: 'In order',
  },
};

export type AdminTexts = typeof en;
