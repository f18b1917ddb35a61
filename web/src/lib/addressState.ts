/** What a list shows, in the page's address: it survives a reload, and can be sent to somebody. */
import { searchParams } from 'sv-router';

export function fromAddress<const T extends string>(name: string, known: readonly T[]): T | '' {
  const value = searchParams.toURLSearchParams().get(name);
  return known.find((one) => one === value) ?? '';
}

export function toAddress(name: string, value: string): void {
  if (value === '') searchParams.delete(name, undefined, { replace: true });
  else searchParams.set(name, value, { replace: true });
}
