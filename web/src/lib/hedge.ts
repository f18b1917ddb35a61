/**
 * Asking again while the first question is still out.
 *
 * A network that swallows everything, a tunnel that fell or a NAT that forgot, leaves the browser with up to six dead
 * connections, and it offers each request one of them until they are used up. Waiting for each in turn takes longer
 * than an order stays on the board. Only for what is harmless to ask twice.
 */

/** A living server answers far sooner. */
const NEXT_MS = 1_000;
/** One more than the connections a browser keeps to one server. */
const QUESTIONS = 7;

/**
 * The first answer, a refusal included; `isAnswer` tells a refusal from a failure on the way. When every question that is
 * out has failed, so does this, with what the last one failed by.
 */
export function hedged<T>(send: (signal: AbortSignal) => Promise<T>, isAnswer: (error: unknown) => boolean): Promise<T> {
  return new Promise((resolve, reject) => {
    const done = new AbortController();
    let asked = 0;
    let out = 0;
    let next: ReturnType<typeof setTimeout> | undefined;
    const finish = (say: () => void) => {
      clearTimeout(next);
      say();
      done.abort();
    };
    const ask = () => {
      asked += 1;
      out += 1;
      if (asked < QUESTIONS) next = setTimeout(ask, NEXT_MS);
      send(done.signal).then(
        (answer) => finish(() => resolve(answer)),
        (error: unknown) => {
          out -= 1;
          if (isAnswer(error) || out === 0) finish(() => reject(error));
        },
      );
    };
    ask();
  });
}
