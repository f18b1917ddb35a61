/** Settings in English, and the shape of them in every other language. */
import { pluralizer } from './plural';

const plural = pluralizer('en');

export const en = {
  nav: { label: 'Settings', general: 'General', security: 'Security' },
  general: { title: 'Settings' },
  security: { title: 'Security' },
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
