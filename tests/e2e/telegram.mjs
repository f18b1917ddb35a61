// What stands in for Telegram's Bot API: takes messages, tells what was written to the bot, and refuses what it is told to.
import { createServer } from 'node:http';

const TOKEN = '123:Secret-token_1';
const BOT = 'board_test_bot';

export class Telegram {
  /** Messages that were taken, `{ chat_id, text }`. */
  sent = [];
  /** Chats for which nothing is taken. */
  refusing = new Set();
  #updates = [];
  /** Answers that wait for something to be written. */
  #waiting = new Set();

  static async open() {
    const telegram = new Telegram();
    telegram.server = createServer((request, response) => void telegram.#serve(request, response));
    await new Promise((resolve) => telegram.server.listen(0, '127.0.0.1', resolve));
    return telegram;
  }

  get settings() {
    return {
      ORDERBOARD_TELEGRAM_API: `http://127.0.0.1:${this.server.address().port}`, ORDERBOARD_TELEGRAM_TOKEN: TOKEN, ORDERBOARD_TELEGRAM_BOT: BOT,
    };
  }

  /** Somebody writes to the bot. */
  write(chatId, text) {
    const id = 1_000 + this.#updates.length;
    const from = { id: chatId, is_bot: false, first_name: 'Ann', language_code: 'en' };
    this.#updates.push({ update_id: id, message: { message_id: id, date: 0, chat: { id: chatId, type: 'private' }, from, text } });
    for (const answer of this.#waiting) answer();
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }

  async #serve(request, response) {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = JSON.parse(Buffer.concat(parts).toString() || '{}');
    const say = (answer) => response.end(JSON.stringify(answer));
    if (request.url.endsWith('/getUpdates')) return this.#tell(body, say);
    if (this.refusing.has(body.chat_id)) return say({ ok: false, error_code: 400, description: 'Bad Request: text must be encoded in UTF-8' });
    this.sent.push({ chat_id: body.chat_id, text: body.text });
    return say({ ok: true, result: {} });
  }

  /** Long polling: an answer when there is something to tell, or when the time is over. */
  #tell({ offset, timeout }, say) {
    const fresh = () => this.#updates.filter((one) => one.update_id >= offset);
    if (fresh().length > 0) return say({ ok: true, result: fresh() });
    const answer = () => {
      clearTimeout(late);
      this.#waiting.delete(answer);
      say({ ok: true, result: fresh() });
    };
    const late = setTimeout(answer, timeout * 1_000);
    this.#waiting.add(answer);
  }
}
