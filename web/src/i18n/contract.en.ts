/** One order's page in English: its history, editing it, applying for it, choosing among those who did. */
import { pluralizer } from './plural';

const plural = pluralizer('en');

export const en = {
  history: {
    title: 'History', you: 'you', byTime: 'by itself',
    event: {
      created: 'Posted', edited: 'Edited', frozen: 'Put on hold', unfrozen: 'Reopened', applied: 'Application', withdrawn: 'Application withdrawn',
      chosen: 'Executor chosen', taken: 'Taken', abandoned: 'Given up, back on the board', submitted: 'Work submitted', rejected: 'Sent back',
      confirmed: 'Confirmed and paid', cancelled: 'Cancelled', disputed: 'An administrator is asked to decide', arbitrated: 'Decided',
    } as Record<string, string>,
    paidAtOnce: 'Submitted and paid at once', verdict: { pay: 'Decided: the executor is paid', refund: 'Decided: the money went back to the customer' } as Record<string, string>,
  },
  dispute: {
    open: 'An administrator decides', text: 'Nothing happens by itself any more: an administrator pays the executor or returns the money to the customer.', said: 'Why',
  },
  edit: {
    act: 'Edit', again: 'Post a similar one', title: 'Edit the order', save: 'Save', saving: 'Saving…', saved: 'The order is changed',
    more: (sum: string) => `${sum} more will be held on your wallet.`, less: (sum: string) => `${sum} will be free again on your wallet.`, same: 'The held sum stays as it is.',
    changed: { title: 'The order has changed since you opened it', text: 'This is different now. Your own changes are still in the form: check them and save again.' },
  },
  apply: {
    title: 'Apply for this order', text: 'The customer compares those who apply and chooses one.', message: 'What the customer should know of you', messageHint: 'Your experience, and when you can begin',
    price: 'Price', payout: 'You get', range: (low: string, high: string) => `You may name another price, from ${low} to ${high}.`, tooFar: (low: string, high: string) => `Between ${low} and ${high}.`,
    act: 'Apply', update: 'Save changes', sending: 'Sending…', sent: 'Your application is with the customer', updated: 'Your application is changed',
    withdraw: 'Withdraw', withdrawn: 'Your application is withdrawn', mine: 'Your application', since: 'Sent', others: (n: number) => plural(n, { one: '# applicant in all', other: '# applicants in all' }),
    edit: 'Change', declined: { title: 'Somebody else was chosen', text: 'The customer has chosen another applicant for this order. There are more on the board.' },
    status: { waiting: 'Waiting', chosen: 'Chosen', declined: 'Not chosen', withdrawn: 'Withdrawn' } as Record<string, string>,
    frozen: 'The order is on hold. You can apply when the customer reopens it.',
  },
  applicants: {
    title: 'Applicants', count: (n: number) => plural(n, { one: '# applicant', other: '# applicants' }), none: { title: 'Nobody has applied yet', text: 'Applications appear here the moment they arrive.' },
    order: 'Order of the applicants', by: { newest: 'Newest', price: 'Cheapest', record: 'Most experienced' },
    who: 'Executor', done: (n: number) => plural(n, { one: '# order done', other: '# orders done' }), newcomer: 'No orders done yet', earned: (sum: string) => `earned ${sum}`,
    message: 'Message', price: 'Price', payout: 'Gets', difference: 'Difference', asked: 'as asked', sent: 'Sent', choose: 'Choose',
    ask: (name: string) => `Choose ${name}?`, yes: 'Choose',
    text: (price: string, payout: string) => `The order is theirs for ${price}, of which they get ${payout}.`,
    more: (sum: string) => `${sum} more will be held on your wallet.`, less: (sum: string) => `${sum} will be free again on your wallet.`, others: 'The others are told that somebody else was chosen.',
    chosen: (name: string) => `${name} was chosen`, frozen: 'Reopen the order to choose.', changed: 'The order or the application has changed meanwhile. Look again, then choose.',
  },
  applications: {
    tabs: 'Contracts or applications', contracts: 'Contracts', title: 'My applications',
    empty: { title: 'You have not applied yet', text: 'For some orders the customer chooses among applicants. Press Apply on the board.' },
    offered: 'Your price', emptyStatus: 'Choose another state to see your other applications.', gone: 'The order is gone',
  },
};

export type ContractTexts = typeof en;
