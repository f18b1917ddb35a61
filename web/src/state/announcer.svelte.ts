/** Screen reader announcements: assertive only for one's own results, polite at most every 10 s. */

const DIGEST_MS = 10_000;

class Announcer {
  assertive = $state('');
  polite = $state('');
  #fresh = 0;
  #taken = 0;
  #digest: (fresh: number, taken: number) => string = () => '';

  constructor() {
    setInterval(() => {
      if (this.#fresh + this.#taken === 0) return;
      this.polite = this.#digest(this.#fresh, this.#taken);
      this.#fresh = this.#taken = 0;
    }, DIGEST_MS);
  }

  now(text: string): void {
    this.assertive = text;
  }

  count(fresh: number, taken: number, digest: (fresh: number, taken: number) => string): void {
    this.#fresh += fresh;
    this.#taken += taken;
    this.#digest = digest;
  }
}

export const announcer = new Announcer();
