/** Public profiles in English. */

export const en = {
  since: (when: string) => `Here since ${when}`, you: 'This is how others see you.', edit: 'Edit profile',
  customer: 'As a customer', executor: 'As an executor',
  created: 'Orders posted', done: 'Orders done', money: 'Money in orders', completed: 'Orders done', earned: 'Earned', nothing: 'none',
  open: 'Open orders',
  noOrders: 'No open orders right now.',
  notFound: { title: 'There is nobody here', text: 'The address is wrong: no such profile.' },
};

export type PeopleTexts = typeof en;
