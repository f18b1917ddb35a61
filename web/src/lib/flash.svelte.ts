/**
 * A changed figure shows itself for a second: a fading ground, or a still one for those who asked
 * for less motion. Web Animations, because a strict CSP leaves no inline styles.
 */
import type { Attachment } from 'svelte/attachments';

const FLASH_MS = 1_000;

/** Flashes whenever the returned attachment is made with another value; the first value is silent. */
export function flashOn(value: () => unknown): Attachment<HTMLElement> {
  return (node) => {
    let first = true;
    let before: unknown;
    $effect(() => {
      const now = value();
      if (!first && now !== before) flash(node);
      first = false;
      before = now;
    });
  };
}

function flash(node: HTMLElement): void {
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const colour = 'var(--flash)';
  const frames = still
    ? [{ boxShadow: `0 0 0 2px ${colour}` }, { boxShadow: `0 0 0 2px ${colour}` }]
    : [{ backgroundColor: colour }, { backgroundColor: 'transparent' }];
  node.animate(frames, { duration: FLASH_MS, easing: still ? 'steps(1)' : 'ease-out' });
}
