/**
 * A tab may outlive the build it came from. It goes on working, but what it fetches later may be gone, and what was
 * mended stays broken in it. Whoever came back to a server asks which build that has, and the person is offered a reload.
 */
import { t } from '../i18n/index.svelte';
import { isOtherBuild } from '../lib/build';
import { toast } from '../lib/toast.svelte';

/** Ten thousand tabs come back at once when a node is replaced: they ask spread over this time. */
const SPREAD_MS = 10_000;

let offered = false;
let asking: ReturnType<typeof setTimeout> | undefined;

/** A reload is never forced: a form may be half filled in. */
export function offerReload(): void {
  if (offered) return;
  offered = true;
  toast.info(t().update.text, { duration: Infinity, action: { label: t().update.reload, onClick: () => location.reload() } });
}

export function askForBuild(random = Math.random()): void {
  if (offered || asking !== undefined) return;
  asking = setTimeout(() => {
    asking = undefined;
    void compare();
  }, random * SPREAD_MS);
}

async function compare(): Promise<void> {
  try {
    const answer = await fetch('/', { cache: 'no-store' });
    const own = document.querySelector('script[type="module"][src]')?.getAttribute('src') ?? null;
    if (answer.ok && isOtherBuild(own, await answer.text())) offerReload();
  } catch {
    // Gone again: asked when it is back.
  }
}
