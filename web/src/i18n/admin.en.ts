/** The administrators' pages in English, and the shape of them in every other language. */

export const en = {
  nav: {
    label: 'Administration', money: 'Money', commission: 'Commission', payouts: 'Withdrawals', audit: 'Audit',
  },
};

export type AdminTexts = typeof en;
