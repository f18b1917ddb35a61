/** Balances, history, withdrawals and the test bank, in English. */
import { pluralizer } from './plural';

const plural = pluralizer('en');

export const en = {
  balance: {
    title: 'Balance', wallet: 'Wallet', earnings: 'Earnings', available: 'Available', held: 'Held', entries: 'History',
    walletHint: 'Pays for your orders', earningsHint: 'What your work has brought',
    kind: {
      topup: 'Top-up', credit: 'Credit', debit: 'Debit', hold: 'Held for an order', release: 'Returned from hold', capture: 'Paid for an order',
      payout: 'Earned by an order', payment: 'Earned by an order', transfer: 'Transfer', withdrawal: 'Withdrawal', sweep: 'Moved to wallet', adjust: 'Hold follows the price',
    } as Record<string, string>,
    after: 'Balance after', what: 'What', sum: 'Sum', orderLink: (id: number) => `order ${id}`,
    empty: { title: 'No entries yet', text: 'Every movement of money is listed here with the balance after it.' },
    topup: { title: 'Top up the wallet', amount: 'Amount', go: 'Continue to payment', going: 'Opening…', received: (sum: string) => `${sum} received`, rejected: 'The payment was declined. No money was moved.' },
  },
  history: {
    kinds: 'Kind', allKinds: 'All kinds', from: 'From', to: 'To', clear: 'Clear', file: 'Download CSV', filters: 'Filter the history',
    nothing: { title: 'Nothing matches', text: 'There are entries, but none of this kind or of these days.' },
    forPayout: { hold: 'Held for a withdrawal', release: 'Withdrawal returned' } as Record<string, string>,
    plain: { hold: 'Held', release: 'Returned from hold', capture: 'Charged from hold' } as Record<string, string>,
    payout: (id: number) => `withdrawal ${id}`, peer: (name: string) => `with ${name}`,
    then: { title: 'Balance at a moment', moment: 'Moment', show: 'Show', on: (when: string) => `On ${when}`, before: 'There were no entries yet.' },
  },
  payouts: {
    title: 'Withdrawals', open: 'Withdraw money', backToBalance: 'To the balance',
    form: {
      title: 'Ask for a withdrawal', account: 'From', amount: 'Amount', all: (sum: string) => `All: ${sum}`, method: 'How', destination: 'Where to',
      destinationHint: 'Card number, phone or account details, as the method needs', least: (sum: string) => `The smallest withdrawal is ${sum}.`,
      short: (sum: string) => `Only ${sum} is available.`, go: 'Ask', going: 'Asking…', asked: (sum: string) => `${sum} is held until an administrator decides`,
    },
    methods: { card: 'Bank card', sbp: 'Fast Payments System (SBP)', bank_account: 'Bank account' } as Record<string, string>,
    status: { created: 'Waiting', received: 'Paid', rejected: 'Rejected', cancelled: 'Cancelled' },
    mine: 'Your withdrawals', empty: { title: 'No withdrawals yet', text: 'What you ask for appears here with what became of it.' },
    asked: 'Asked', decided: 'Decided', comment: 'Comment', number: (id: number) => `Withdrawal ${id}`,
    cancel: 'Cancel', cancelled: 'Cancelled, the money is available again', cancelAsk: (sum: string) => `Cancel the withdrawal of ${sum}?`,
    cancelText: 'The money becomes available again at once.',
    overtaken: (status: string) => `It had been decided meanwhile: ${status.toLowerCase()}. Nothing was done.`,
    admin: {
      title: 'Withdrawals', filter: 'Status', refresh: 'Refresh', file: 'Download CSV',
      empty: { title: 'Nothing here', text: 'Withdrawals with this status appear here, the newest first.' },
      earned: (orders: number, sum: string) => `${plural(orders, { one: '# order', other: '# orders' })}, ${sum}`,
      earnedWith: 'Earned with', more: 'and more, further back', show: 'What it was earned with', hide: 'Hide',
      order: 'Order', customer: 'Customer', taken: 'Taken', submitted: 'Submitted', finished: 'Finished', brought: 'Brought',
      now: 'On the account now', sofar: 'Withdrawals so far', by: (name: string) => `by ${name}`,
      approve: 'Approve', reject: 'Reject', approved: (sum: string) => `${sum} paid`, rejected: (sum: string) => `${sum} returned to its owner`,
      approveAsk: (sum: string) => `Pay out ${sum}?`, approveText: (name: string, where: string) => `To ${name}, ${where}. It cannot be undone.`,
      approveYes: (sum: string) => `Pay out ${sum}`, rejectAsk: (sum: string) => `Reject the withdrawal of ${sum}?`,
      rejectText: (name: string) => `The money returns to ${name}, who reads your reason.`, reason: 'Reason', rejectYes: 'Reject', commentLabel: 'Comment for the owner',
    },
  },
  sweep: {
    title: 'One balance', text: 'What you earn goes straight into your wallet.', on: 'Earnings will go into the wallet', off: 'Earnings stay apart',
    now: (sum: string) => `Move ${sum} to the wallet`, there: (sum: string) => `${sum} is still among the earnings.`, moved: (sum: string) => `${sum} moved to the wallet`,
  },
  bank: {
    title: 'Test bank', text: 'This is a sandbox: no real money moves.', pay: 'Pay', decline: 'Decline', paying: 'Paying…', to: (shop: string) => `Payment to ${shop}`,
    expired: 'The time for this payment is over. Ask for a new one.', backToBalance: 'Back to the balance',
    damaged: { title: 'This payment link is damaged', advice: 'Nothing was paid. Go back to the balance and ask for a new payment.' },
    hide: 'Hide', again: 'Try again',
    result: {
      received: { title: 'The money is on your wallet', text: 'Thank you.' },
      waiting: { title: 'The payment is made, its money is on the way', text: 'The balance moves by itself as soon as the bank confirms. You need not wait on this page.' },
      failed: { title: 'The payment was not made', text: 'No money was moved. Try again, or choose another sum.' },
      rejected: { title: 'The payment was declined', text: 'No money was moved. Choose another way to pay, or another sum.' },
      outdated: { title: 'The time for this payment is over', text: 'Ask for a new one. Should your money be on its way already, it will be credited all the same.' },
      unknown: { title: 'It is not known yet how the payment ended', text: 'Money that arrives is listed in the history below, and the balance moves by itself.' },
    },
  },
};

export type MoneyTexts = typeof en;
