/** The board's single keys. Silent while somebody types, and with any modifier held. */

export type BoardKeys = {
  move: (step: 1 | -1) => void;
  accept: () => void;
  showNew: () => void;
  pause: () => void;
  filter: () => void;
  help: () => void;
};

/** By place on the keyboard, so that they also work with a Russian layout in force. */
export function boardKeys(keys: BoardKeys): (event: KeyboardEvent) => void {
  const byCode: Record<string, () => void> = {
    KeyJ: () => keys.move(1), KeyK: () => keys.move(-1), KeyA: keys.accept, KeyN: keys.showNew, KeyP: keys.pause,
  };
  return (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
    const act = event.key === '?' ? keys.help : event.code === 'Slash' && !event.shiftKey ? keys.filter : byCode[event.code];
    if (!act) return;
    event.preventDefault();
    act();
  };
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, textarea, select, dialog[open], [contenteditable]') !== null;
}
