/** Signing in and registering, in English. */

export const en = {
  auth: {
    signIn: 'Sign in', register: 'Create account', email: 'E-mail', password: 'Password', name: 'Name', role: 'Enter as',
    passwordHint: '8 characters or more', signingIn: 'Signing in…', creating: 'Creating…', noAccount: 'No account yet?', haveAccount: 'Have an account?',
    roleHint: { customer: 'Post orders and pay for work', executor: 'Take orders and earn', admin: 'Look after the board' },
    ended: 'Your session has ended. Sign in again to go on.', pitch: 'Live orders. One press. A definite answer.',
    pitchText: 'The board moves as the market does. Take an order in a heartbeat and see your money move the moment it moves.',
    points: ['Every order live, without a reload', 'One winner, decided in one place, never two', 'Every kopeck with the balance after it'],
    welcome: (name: string) => `Welcome, ${name}`,
  },
};

export type AuthTexts = typeof en;
