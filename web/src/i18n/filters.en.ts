/** Filters of the board in English. */
export const en = {
  title: 'Filters', price: 'Price', payout: 'You get', from: 'from', to: 'to', assignment: 'Who gets it',
  assignments: { '': 'Any order', first: 'First taker', chosen: 'Customer chooses' },
  clear: 'Clear all', close: 'Close', remove: (what: string) => `Remove: ${what}`,
  wrong: { malformed: 'Not a sum. Write it like 1,234.50.', too_large: 'Too large for a sum. Write fewer digits.', kept: (sum: string) => `Still in force: ${sum}.` },
  chip: {
    price_min: (sum: string) => `Price from ${sum}`, price_max: (sum: string) => `Price up to ${sum}`,
    payout_min: (sum: string) => `You get ${sum} or more`, payout_max: (sum: string) => `You get ${sum} at most`, text: (words: string) => `“${words}”`,
  },
  saved: { title: 'Saved filters', name: 'Name', save: 'Save', hint: 'Save what you filter by now, to have it back in one press. It stays in this browser.', remove: (name: string) => `Forget “${name}”`, done: (name: string) => `“${name}” is saved` },
  tell: { act: 'Tell me of new ones', done: 'You will be told of new orders', all: 'all categories', what: (category: string, floor: string) => `In: ${category}${floor}.`, floor: (sum: string) => `, from ${sum}`, rest: 'What else you filter by plays no part in it.', manage: 'Manage' },
};

export type FilterTexts = typeof en;
