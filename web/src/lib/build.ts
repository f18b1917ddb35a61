/** Which build a first page belongs to: told by the script it starts. */

const ENTRY = /<script[^>]+type="module"[^>]+src="([^"]+)"/;

/** `own`: the script this page was started by. `html`: the server's first page. */
export function isOtherBuild(own: string | null, html: string): boolean {
  const theirs = ENTRY.exec(html)?.[1];
  return own !== null && theirs !== undefined && theirs !== own;
}
