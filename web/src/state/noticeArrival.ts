/** What a tab does when something arrives: it shows it, unless the page itself tells the same already. */
import type { Notice } from '../hub/protocol';
import { noticesText } from '../i18n/notices';
import { tell } from '../lib/notices';
import { toast } from '../lib/toast.svelte';
import { navigate, route } from '../routes';
import { categories } from './categories.svelte';

/** Money has toasts of its own, and what one has just done oneself needs none. */
const TOLD_OTHERWISE = ['work_confirmed', 'topup', 'debited', 'password_changed'];

export function arrived(notice: Notice): void {
  categories.load();
  if (document.visibilityState !== 'visible' || TOLD_OTHERWISE.includes(notice.event) || route.pathname === '/notifications') return;
  const { text, more, href } = tell(notice);
  if (route.pathname === href) return;
  toast.info(text, { description: more, action: { label: noticesText().open, onClick: () => void navigate(href as '/') } });
}
