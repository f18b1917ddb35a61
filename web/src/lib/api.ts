/**
 * The HTTP API. Every refusal arrives as a problem (RFC 9457) with a stable `code`; whatever prevents
 * an answer from arriving becomes code `network`, the one case whose outcome is unknown.
 */

export type Problem = {
  code: string;
  status: number;
  detail: string;
  retryAfterS: number | null;
  facts: Record<string, unknown>;
};

export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }

  get code(): string {
    return this.problem.code;
  }

  /** Nobody can say whether the server did it: the answer was lost or never complete. */
  get outcomeUnknown(): boolean {
    return this.code === 'network' || this.code === 'unavailable' || this.problem.status >= 500;
  }
}

type Options = {
  body?: unknown;
  /** Makes a repeat of this very attempt harmless. */
  idempotencyKey?: string;
  signal?: AbortSignal;
  timeoutMs?: number;
};

const TIMEOUT_MS = 15_000;

export async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (options.body !== undefined) headers['Content-Type'] = 'application/json';
  if (options.idempotencyKey) headers['Idempotency-Key'] = options.idempotencyKey;
  const timeout = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: options.body === undefined ? null : JSON.stringify(options.body),
      credentials: 'same-origin',
      signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
    });
    text = await response.text();
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError({ code: 'network', status: 0, detail: String(error), retryAfterS: null, facts: {} });
  }
  if (response.ok) return (text === '' ? undefined : JSON.parse(text)) as T;
  throw new ApiError(problemOf(response, text));
}

function problemOf(response: Response, text: string): Problem {
  let facts: Record<string, unknown> = {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null) facts = parsed as Record<string, unknown>;
  } catch {
    // A proxy's HTML page: only the status speaks.
  }
  const retry = Number(response.headers.get('Retry-After'));
  return {
    code: typeof facts['code'] === 'string' ? facts['code'] : response.status >= 500 ? 'unavailable' : 'internal',
    status: response.status,
    detail: typeof facts['detail'] === 'string' ? facts['detail'] : response.statusText,
    retryAfterS: Number.isFinite(retry) && retry > 0 ? retry : null,
    facts,
  };
}

export type Page<T> = { items: T[]; next: string | null };

/** A fresh key for one attempt. `randomUUID` is missing on plain http outside loopback. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * The key of a form: the same while the same body is sent again, another for another body,
 * so that a repeat after a lost answer can never make a second order or payment.
 */
export class AttemptKey {
  #body = '';
  #key = newKey();

  for(body: unknown): string {
    const text = JSON.stringify(body);
    if (this.#body !== '' && this.#body !== text) this.#key = newKey();
    this.#body = text;
    return this.#key;
  }

  /** After a definitive answer the next press is a new attempt. */
  done(): void {
    this.#body = '';
    this.#key = newKey();
  }
}
