/** The administrators' pages in English, and the shape of them in every other language. */

import { pluralizer } from './plural';

const plural = pluralizer('en');

export const en = {
  nav: {
    label: 'Administration', market: 'Market', categories: 'Categories', money: 'Money', commission: 'Commission', payouts: 'Withdrawals', audit: 'Audit',
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
