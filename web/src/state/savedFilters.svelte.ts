/** Filters that somebody has named, in this browser. Where storage is off they last as long as the page. */
import { newKey } from '../lib/api';
import { readStored, writeStored } from '../lib/stored';

export type SavedFilter = { id: string; name: string; address: Record<string, string> };

const STORED = 'orderboard.filters';
const SAVED_MAX = 20;

class SavedFilters {
  items = $state.raw<SavedFilter[]>(read());

  constructor() {
    addEventListener('storage', (event) => {
      if (event.key === STORED) this.items = read();
    });
  }

  /** Under a name that is known it takes the place of the old one. The oldest gives way. */
  save(name: string, address: Record<string, string>): void {
    const others = this.items.filter((one) => one.name !== name);
    this.#keep([...others, { id: newKey(), name, address }].slice(-SAVED_MAX));
  }

  remove(id: string): void {
    this.#keep(this.items.filter((one) => one.id !== id));
  }

  #keep(items: SavedFilter[]): void {
    this.items = items;
    writeStored(STORED, JSON.stringify(items));
  }
}

function read(): SavedFilter[] {
  try {
    const stored: unknown = JSON.parse(readStored(STORED) ?? '[]');
    return Array.isArray(stored) ? stored.filter(isSaved).slice(-SAVED_MAX) : [];
  } catch {
    return [];
  }
}

function isSaved(value: unknown): value is SavedFilter {
  const one = value as SavedFilter | null;
  return typeof one?.id === 'string' && typeof one.name === 'string' && typeof one.address === 'object' && one.address !== null;
}

export const savedFilters = new SavedFilters();
