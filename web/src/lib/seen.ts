/** Calls when an element comes near the screen: the button that asks for the next page presses itself. */
import type { Attachment } from 'svelte/attachments';

const AHEAD = '600px';

export function whenSeen(seen: () => void): Attachment<HTMLElement> {
  return (node) => {
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) seen();
    }, { rootMargin: AHEAD });
    observer.observe(node);
    return () => observer.disconnect();
  };
}
