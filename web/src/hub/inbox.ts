/**
 * A socket's messages, read in the order they arrived. Unpacking a binary one takes its time, and
 * what arrived behind it waits: a diff must not overtake the snapshot it continues.
 */

/** The text in a binary message. */
export type Unpack = (packed: ArrayBuffer) => Promise<string>;

export class Inbox {
  readonly #waiting: { data: unknown; heardMs: number }[] = [];
  #unpacking = false;

  /** `read` gets each message's text and when it was heard; `unreadable` hears of what has none. */
  constructor(
    private readonly unpack: Unpack | null,
    private readonly read: (text: string, heardMs: number) => void,
    private readonly unreadable: () => void,
  ) {}

  /** Text with nothing waiting before it is read at once. */
  put(data: unknown, heardMs: number): void {
    this.#waiting.push({ data, heardMs });
    if (!this.#unpacking) this.#work();
  }

  #work(): void {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      const { data, heardMs } = next;
      if (typeof data === 'string') {
        this.read(data, heardMs);
      } else if (data instanceof ArrayBuffer && this.unpack) {
        this.#unpacking = true;
        this.unpack(data).then(
          (text) => this.#done(() => this.read(text, heardMs)),
          () => this.#done(this.unreadable),
        );
        return;
      }
    }
  }

  /** What is said now may close the socket or fail: the rest is read all the same. */
  #done(say: () => void): void {
    this.#unpacking = false;
    try {
      say();
    } finally {
      if (!this.#unpacking) this.#work();
    }
  }
}
