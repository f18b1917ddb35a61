/** What a tab does when something arrives: it shows it, unless the page itself tells the same already; and one tab may sound. */
import type { Notice } from '../hub/protocol';
import { noticesText } from '../i18n/notices';
import { chime, showSystem } from '../lib/alerts';
import { tell } from '../lib/notices';
import { toast } from '../lib/toast.svelte';
import { navigate, route } from '../routes';
import { categories } from './categories.svelte';
import { session } from './session.svelte';
import { subscriptions } from './subscriptions.svelte';

/** New orders may come by the dozen: the first is shown, and after this time how many more there were. */
const GATHER_MS = 2_000;
/** Money has toasts of its own, and what one has just done oneself needs none. */
const TOLD_OTHERWISE = ['work_confirmed', 'topup', 'debited', 'password_changed'];

export function arrived(notice: Notice, alerts: boolean): void {
  categories.load();
  if (alerts && notice.event === 'order_new') void once(`orderboard-alert-${session.me?.user.id}-${notice.id}`, () => alert(notice));
  if (document.visibilityState !== 'visible' || TOLD_OTHERWISE.includes(notice.event) || route.pathname === '/notifications') return;
  if (notice.event !== 'order_new') return show(notice);
  if (gathering) return void gathered.push(notice);
  show(notice);
  gather();
}

let gathering = false;
const gathered: Notice[] = [];

function gather(): void {
  gathering = true;
  setTimeout(() => {
    gathering = false;
    const [first, ...others] = gathered.splice(0);
    if (!first) return;
    if (others.length === 0) show(first);
    else toast.info(noticesText().arrived(others.length + 1), { action: { label: noticesText().open, onClick: () => void navigate('/notifications') } });
    gather();
  }, GATHER_MS);
}

function show(notice: Notice): void {
  const { text, more, href } = tell(notice);
  if (route.pathname === href) return;
  toast.info(text, { description: more, action: { label: noticesText().open, onClick: () => void navigate(href as '/') } });
}

/** Where each tab has a hub of its own every one of them is named: whoever takes this lock first is the one. */
async function once(name: string, act: () => Promise<void>): Promise<void> {
  if (!navigator.locks) return act();
  await navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    await act();
    await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
  });
}

/** As the subscriptions want it that the order was told for. */
async function alert(notice: Notice): Promise<void> {
  await subscriptions.load(session.me?.user.id);
  const { category, price } = notice.facts;
  const wanted = subscriptions.matching(typeof category === 'string' ? category : null, Number(price));
  if (wanted.some((one) => one.sound)) chime(Date.now(), 'by news');
  if (document.visibilityState === 'visible' || !wanted.some((one) => subscriptions.shown.has(one.category))) return;
  const { text, href } = tell(notice);
  showSystem(text, `orderboard-${session.me?.user.id}-${notice.id}`, () => void navigate(href as '/'));
}
