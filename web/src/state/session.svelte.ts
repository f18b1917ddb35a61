/**
 * Who is signed in, in all tabs at once. The cookie is HttpOnly, so the page asks `/api/session`; a tag in
 * localStorage tells two sessions of one user apart and wakes the other tabs when it changes.
 */
import type { Account, AccountKind, Role } from '../hub/protocol';
import { ApiError, call, newKey } from '../lib/api';
import { readStored, writeStored } from '../lib/stored';
import type { Me } from '../lib/types';
import { live } from './live.svelte';

const TAG = 'orderboard.session';
const SIGNED_IN = 'orderboard.signed-in';
/** How long the socket may take to say who we are before `/api/session` is asked anyway. */
const GREETING_MS = 2_500;

class Session {
  me = $state.raw<Me | null>(null);
  accounts = $state.raw<Account[]>([]);
  /** False until the first answer: a page for one role must not flash "sign in". */
  known = $state(false);
  /** Nobody could say who this browser's session is, and it is asked again. */
  unreachable = $state(false);
  /** The server ended the session while the page was open. */
  ended = $state(false);
  #hubName = '';
  #asking: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    live.onBalance((account) => this.#balance(account));
    live.onEnded = () => void this.#ended();
    live.onUser = (user) => {
      if (user === null && !this.me) this.known = true;
      // The cookie changed under the page (another window signed in): ask who we are now.
      if ( (user?.id !== this.me?.user.id || (user && user.role !== this.me?.role))) void this.refresh();
    };
    addEventListener('storage', (event) => {
      if (event.key === TAG) void this.refresh();
    });
  }

  get role(): Role | null {
    return this.me?.role ?? null;
  }

  account(kind: AccountKind): Account | null {
    return this.accounts.find((one) => one.account === kind) ?? null;
  }

  /** A browser that never signed in learns from the socket's greeting that it is a guest; the others ask at once. */
  start(): void {
    if (readStored(SIGNED_IN) === '1') return void this.refresh();
    this.#connect();
    setTimeout(() => {
      if (!this.known) void this.refresh();
    }, GREETING_MS);
  }

  async refresh(): Promise<void> {
    try {
      const me = await call<Me | null>('GET', '/api/session');
      if (me) {
        this.me = me;
        this.accounts = me.accounts;
        this.ended = false;
        writeStored(SIGNED_IN, '1');
      } else {
        this.#forget();
      }
    } catch (error) {
      // No answer is not "signed out": keep what is known, the socket tells the rest.
      if (!(error instanceof ApiError)) throw error;
      if (!this.me && readStored(SIGNED_IN) === '1') return this.#askAgain();
    }
    this.known = true;
    this.unreachable = false;
    this.#connect();
  }

  #askAgain(): void {
    this.unreachable = true;
    this.#connect();
    clearTimeout(this.#asking);
    this.#asking = setTimeout(() => void this.refresh(), GREETING_MS);
  }

  async signIn(email: string, password: string, role: Role): Promise<void> {
    await call('POST', '/api/login', { body: { email, password, role } });
    this.#retag();
    await this.refresh();
  }

  /** In development: another person, or the same in another role. */
  async become(userId: number | null, role: Role): Promise<void> {
    await call('POST', '/api/dev/switch', { body: userId === null ? { role } : { user_id: userId, role } });
    this.#retag();
    await this.refresh();
  }

  async signOut(): Promise<void> {
    await call('POST', '/api/logout');
    this.#forget();
    this.#retag();
    this.#connect();
  }

  #balance(account: Account): void {
    const others = this.accounts.filter((one) => one.account !== account.account || one.currency !== account.currency);
    const held = this.accounts.find((one) => one.account === account.account && one.currency === account.currency);
    if (held && held.version > account.version) return;
    this.accounts = [...others, account];
  }

  async #ended(): Promise<void> {
    const was = this.me !== null;
    this.#retag();
    await this.refresh();
    if (was && this.me === null) this.ended = true;
  }

  #forget(): void {
    this.me = null;
    this.accounts = [];
    writeStored(SIGNED_IN, '0');
  }

  #retag(): void {
    writeStored(TAG, newKey());
  }

  #connect(): void {
    const who = this.me ? `${this.me.user.id}-${this.me.role}` : 'guest';
    const name = `orderboard-${who}-${readStored(TAG) ?? '0'}`;
    if (name === this.#hubName) return;
    this.#hubName = name;
    live.start(name);
  }
}

export const session = new Session();
