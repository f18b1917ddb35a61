/** Settings in English, and the shape of them in every other language. */
import { pluralizer } from './plural';

const plural = pluralizer('en');

export const en = {
  nav: { label: 'Settings', general: 'General', profile: 'Profile', security: 'Security' },
  general: { title: 'Settings' },
  security: { title: 'Security' },
  profile: {
    title: 'Profile', text: 'What customers and executors see of you.', name: 'Name', about: 'About yourself', aboutHint: 'What you do, with what, and when you can be reached',
    language: 'Language of letters', languages: { ru: 'Russian', en: 'English' }, saved: 'The profile is saved', see: 'As others see it',
  },
  password: {
    title: 'Password', text: 'All your other sessions end with the old password.', current: 'Present password', fresh: 'New password', hint: '8 characters or more',
    save: 'Change password', saved: 'The password is changed, all other sessions have ended', same: 'This is the old one.',
  },
  email: {
    title: 'E-mail', text: (now: string) => `You sign in with ${now}. Letters go there, too.`, fresh: 'New e-mail', password: 'Password', save: 'Change e-mail',
    saved: (now: string) => `From now on you sign in with ${now}`,
  },
  forgot: {
    title: 'Forgotten your password?', text: 'Name the e-mail you sign in with. If it has an account, a link comes that sets a new password.', send: 'Send the link', sending: 'Sending…',
    sent: { title: 'Look into your mailbox', text: (email: string) => `If ${email} has an account, a letter with a link is on its way. The link is good for an hour and works once.` },
    back: 'To sign in', again: 'Another address',
  },
  reset: {
    title: 'A new password', fresh: 'New password', save: 'Set it and sign in', saved: 'The new password is in force. Sign in with it.',
    noToken: { title: 'This link is not complete', advice: 'Copy it from the letter as a whole, or ask for a new one.' }, ask: 'Ask for a new link',
  },
  sessions: {
    title: 'Where you are signed in', text: 'Each line is a browser or a program that can act in your name.',
    on: (browser: string, system: string) => `${browser} on ${system}`, unknown: 'Unknown device', program: 'Program',
    current: 'this session', now: 'active now', seen: (age: string) => `active ${age} ago`, since: (when: string) => `signed in ${when}`,
    close: 'Sign out there', closing: 'Signing out…', closed: 'That session is closed',
    others: 'Sign out everywhere else', othersAsk: 'Sign out everywhere else?',
    othersText: (n: number) => plural(n, { one: '# other session ends at once. You stay signed in here.', other: '# other sessions end at once. You stay signed in here.' }),
    othersClosed: 'Only this session is left',
    alone: 'You are signed in nowhere else.',
  },
};

export type SettingsTexts = typeof en;
