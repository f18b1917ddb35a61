import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SocketLike } from './connection';
import { Hub } from './hub';
import type { HubMessage, PortLike, TabMessage } from './messages';
import { unpack } from './platform';
import type { ClientFrame, ServerFrame } from './protocol';
import { diff, order, snapshot, tick } from './samples';

class FakeSocket implements SocketLike {
  onopen = null;
  onmessage: SocketLike['onmessage'] = null;
  onclose: SocketLike['onclose'] = null;
  onerror = null;
  sent: ClientFrame[] = [];
  closed = false;
  send(text: string) {
    this.sent.push(JSON.parse(text) as ClientFrame);
  }
  close() {
    this.closed = true;
  }
  says(frame: ServerFrame) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  saysPacked(frame: ServerFrame) {
    this.onmessage?.({ data: Uint8Array.from(gzipSync(JSON.stringify(frame))).buffer });
  }
  greets() {
    this.says({ type: 'hello', protocol: 1, node: 'n', server_ms: Date.now(), heartbeat_ms: 4000, user: null, expires_in_s: null });
  }
  watches() {
    return this.sent.filter((frame) => frame.type === 'watch');
  }
}

class FakeTab implements PortLike {
  onmessage: PortLike['onmessage'] = null;
  heard: HubMessage[] = [];
  constructor(hub: Hub, name: string, visible = true, board: string | null = 'all') {
    hub.attach(this);
    this.says({ kind: 'hello', tab: name, lock: name, visible, touched: false, board });
  }
  postMessage(message: HubMessage) {
    this.heard.push(structuredClone(message));
    this.#wake();
  }
  #wake: () => void = () => {};
  /** Resolves once it has heard as much. */
  async hears(count: number, kind: HubMessage['kind']) {
    while (this.kinds().filter((one) => one === kind).length < count) {
      await new Promise<void>((woken) => (this.#wake = woken));
    }
  }
  says(message: TabMessage) {
    this.onmessage?.({ data: message });
  }
  closed = false;
  close() {
    this.closed = true;
  }
  last(kind: HubMessage['kind']) {
    return this.heard.findLast((message) => message.kind === kind);
  }
  kinds() {
    return this.heard.map((message) => message.kind);
  }
  clear() {
    this.heard = [];
  }
}

let sockets: FakeSocket[];
let gone: Map<string, () => void>;
let idle: ReturnType<typeof vi.fn<() => void>>;
let hub: Hub;
const socket = () => sockets.at(-1)!;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  sockets = [];
  gone = new Map();
  idle = vi.fn<() => void>();
  hub = new Hub({
    open: () => {
      sockets.push(new FakeSocket());
      return socket();
    },
    whenReleased: (lock, callback) => gone.set(lock, callback),
    idle,
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('tabs', () => {
  test('share one socket and one watch', () => {
    new FakeTab(hub, 'a');
    new FakeTab(hub, 'b');
    socket().greets();
    expect(sockets).toHaveLength(1);
    expect(socket().watches()).toEqual([{ type: 'watch', board: 'all' }]);
  });

  test('that come later get the board from memory', () => {
    new FakeTab(hub, 'a');
    socket().greets();
    socket().says(snapshot(1, [order(2)]));
    const late = new FakeTab(hub, 'b');
    expect(late.kinds()).toContain('snapshot');
    expect(socket().watches()).toHaveLength(1);
  });

  test('that are hidden hear what is their own, and the board when they are looked at', () => {
    const hidden = new FakeTab(hub, 'a', false);
    socket().greets();
    socket().says(snapshot(1, [order(2)]));
    hidden.clear();
    socket().says(diff(1, 2, { up: [order(3)] }));
    socket().says({ type: 'balance', account: 'wallet', currency: 'RUB', available: 5, held: 0, version: 1 });
    expect(hidden.kinds()).toEqual(['balance']);
    hidden.says({ kind: 'visible', visible: true });
    expect(hidden.heard.at(-1)).toMatchObject({ kind: 'snapshot', orders: [{ id: 3 }, { id: 2 }] });
  });

  test('that die leave by their lock; the last one closes the socket', () => {
    new FakeTab(hub, 'a');
    new FakeTab(hub, 'b');
    socket().greets();
    gone.get('a')!();
    expect(socket().closed).toBe(false);
    gone.get('b')!();
    expect(socket().closed).toBe(true);
    expect(idle).toHaveBeenCalledOnce();
  });

  test('an older balance never replaces a newer one', () => {
    const tab = new FakeTab(hub, 'a');
    socket().greets();
    socket().says({ type: 'balance', account: 'wallet', currency: 'RUB', available: 5, held: 0, version: 7 });
    tab.clear();
    socket().says({ type: 'balance', account: 'wallet', currency: 'RUB', available: 9, held: 0, version: 6 });
    expect(tab.heard).toEqual([]);
  });
});

describe('tabs that come back', () => {
  test('after the last one left find the board in memory and a new socket', () => {
    new FakeTab(hub, 'a');
    socket().greets();
    socket().says(snapshot(10, [order(5)]));
    gone.get('a')!();
    expect(hub.deserted).toBe(true);
    const back = new FakeTab(hub, 'b');
    expect(hub.deserted).toBe(false);
    expect(sockets).toHaveLength(2);
    expect(back.last('link')).toMatchObject({ link: { phase: 'reconnecting' } });
    socket().greets();
    expect(socket().watches()).toEqual([{ type: 'watch', board: 'all', epoch: 'e1', seq: 10 }]);
    socket().says(diff(10, 10, {}));
    expect(back.last('link')).toMatchObject({ link: { phase: 'live' } });
  });

  test('behind another port are not spoken to behind the former one', () => {
    const former = new FakeTab(hub, 'a');
    socket().greets();
    const again = new FakeTab(hub, 'a');
    expect(former.closed).toBe(true);
    former.clear();
    socket().says(snapshot(1, [order(2)]));
    expect(former.heard).toEqual([]);
    expect(again.kinds()).toContain('snapshot');
    expect(sockets).toHaveLength(1);
  });
});

describe('the link a tab is told', () => {
  const phases = (tab: FakeTab) => tab.heard.flatMap((message) => (message.kind === 'link' ? [message.link.phase] : []));
  let tab: FakeTab;
  beforeEach(() => {
    tab = new FakeTab(hub, 'a');
    socket().greets();
  });

  test('is live behind the rows, never before them', () => {
    expect(phases(tab)).not.toContain('live');
    socket().says(snapshot(1, [order(2)]));
    expect(tab.kinds().slice(-2)).toEqual(['snapshot', 'link']);
    expect(tab.last('link')).toMatchObject({ link: { phase: 'live', proven: true } });
  });

  test('of a resumed copy is live when the server has told what was missed, and proven by the next checksum', () => {
    socket().says(snapshot(1, [order(2)]));
    socket().onclose?.({ code: 1006 });
    expect(tab.last('link')).toMatchObject({ link: { phase: 'reconnecting', proven: false } });
    tab.says({ kind: 'hurry' });
    socket().greets();
    expect(tab.last('link')).toMatchObject({ link: { phase: 'reconnecting' } });
    socket().says(diff(1, 2, { up: [order(3)] }));
    expect(tab.kinds().slice(-2)).toEqual(['diff', 'link']);
    expect(tab.last('link')).toMatchObject({ link: { phase: 'live', proven: false } });
    socket().says(tick(2, [order(3), order(2)]));
    expect(tab.last('link')).toMatchObject({ link: { phase: 'live', proven: true } });
  });

  test('is no longer proven when a checksum disagrees', () => {
    socket().says(snapshot(1, [order(2)]));
    socket().says(tick(1, [order(9)]));
    expect(tab.last('link')).toMatchObject({ link: { phase: 'live', proven: false } });
  });

  test('is told once, not with every checksum', () => {
    socket().says(snapshot(1, [order(2)]));
    tab.clear();
    socket().says(tick(1, [order(2)]));
    socket().says(tick(1, [order(2)]));
    expect(tab.heard).toEqual([]);
  });

  test('of a tab without a board is live with the greeting', () => {
    expect(new FakeTab(hub, 'b', true, null).last('link')).toMatchObject({ link: { phase: 'live', proven: true } });
  });

  test('does not wait for a board that is not there, which is empty', () => {
    const nowhere = new FakeTab(hub, 'b', true, 'category:nowhere');
    socket().says(snapshot(1, [order(2)]));
    socket().says({ type: 'error', code: 'unknown_board', detail: '' });
    expect(nowhere.kinds().slice(-2)).toEqual(['snapshot', 'link']);
    expect(nowhere.last('snapshot')).toMatchObject({ board: 'category:nowhere', orders: [] });
    expect(nowhere.last('link')).toMatchObject({ link: { phase: 'live' } });
    expect(new FakeTab(hub, 'c', true, 'category:nowhere').last('snapshot')).toMatchObject({ orders: [] });
    expect(tab.last('snapshot')).toMatchObject({ board: 'all', orders: [{ id: 2 }] });
  });

  test('does not change when a tab looks at another board', () => {
    socket().says(snapshot(1, [order(2)]));
    tab.clear();
    tab.says({ kind: 'board', board: 'category:it' });
    expect(phases(tab)).toEqual([]);
  });
});

describe('a watch', () => {
  beforeEach(() => {
    new FakeTab(hub, 'a');
    socket().greets();
  });

  test('that was one message too many is asked again after 2 s', () => {
    socket().says({ type: 'error', code: 'limit', detail: '' });
    vi.advanceTimersByTime(1_900);
    expect(socket().watches()).toHaveLength(1);
    vi.advanceTimersByTime(200);
    expect(socket().watches()).toHaveLength(2);
  });

  test('that stays without an answer is asked again after 10 s, an answered one is not', () => {
    const beat = () => {
      vi.advanceTimersByTime(3_000);
      socket().says({ type: 'balance', account: 'wallet', currency: 'RUB', available: 5, held: 0, version: 1 });
    };
    for (let i = 0; i < 4; i++) beat();
    expect(socket().watches()).toHaveLength(2);
    socket().says(snapshot(1, [order(2)]));
    for (let i = 0; i < 8; i++) beat();
    expect(socket().watches()).toHaveLength(2);
  });
});

describe('a notification', () => {
  const notice: ServerFrame = { type: 'notice', id: 1, event: 'order_new', facts: {}, created_ms: 0, unread: 1 };
  const alerted = (...tabs: FakeTab[]) => tabs.map((tab) => tab.heard.filter((one) => one.kind === 'notice').map((one) => one.alerts));

  test('is told to every tab, and one of them may sound: the one that was touched, also when it is hidden', () => {
    const [seen, touched] = [new FakeTab(hub, 'a'), new FakeTab(hub, 'b', false)];
    touched.says({ kind: 'touched' });
    socket().greets();
    socket().says(notice);
    expect(alerted(seen, touched)).toEqual([[false], [true]]);
    seen.says({ kind: 'touched' });
    socket().says(notice);
    expect(alerted(seen, touched)).toEqual([[false, true], [true, false]]);
  });

  test('sounds in another tab when the one that sounded is gone', () => {
    const [one, other] = [new FakeTab(hub, 'a'), new FakeTab(hub, 'b')];
    for (const tab of [one, other]) tab.says({ kind: 'touched' });
    socket().greets();
    gone.get('b')!();
    socket().says(notice);
    expect(alerted(one, other)).toEqual([[true], []]);
  });
});

describe('a copy', () => {
  beforeEach(() => {
    new FakeTab(hub, 'a');
    socket().greets();
    socket().says(snapshot(10, [order(5)]));
  });

  test('with a hole asks again from where it is, at most once per 2 s', () => {
    socket().says(diff(12, 13, {}));
    socket().says(diff(13, 14, {}));
    vi.advanceTimersByTime(1_900);
    expect(socket().watches()).toHaveLength(1);
    vi.advanceTimersByTime(200);
    expect(socket().watches()).toHaveLength(2);
    expect(socket().watches()[1]).toEqual({ type: 'watch', board: 'all', epoch: 'e1', seq: 10 });
  });

  test('that drifted asks for all of it', () => {
    socket().says(tick(10, [order(6)]));
    vi.advanceTimersByTime(2_100);
    expect(socket().watches()[1]).toEqual({ type: 'watch', board: 'all' });
  });

  test('is resumed on the next connection', () => {
    socket().onclose?.({ code: 1012 });
    vi.advanceTimersByTime(300);
    expect(sockets).toHaveLength(2);
    socket().greets();
    expect(socket().watches()).toEqual([{ type: 'watch', board: 'all', epoch: 'e1', seq: 10 }]);
  });
});

describe('the connection', () => {
  test('that falls silent is closed after one and a half heartbeats and made again', () => {
    const tab = new FakeTab(hub, 'a');
    socket().greets();
    vi.advanceTimersByTime(5_900);
    expect(sockets).toHaveLength(1);
    vi.advanceTimersByTime(500);
    expect(sockets[0]!.closed).toBe(true);
    expect(sockets).toHaveLength(2);
    expect(tab.heard.filter((message) => message.kind === 'link').at(-1)).toMatchObject({ link: { phase: 'reconnecting' } });
  });

  test('does not sit out its back-off when somebody looks', () => {
    const tab = new FakeTab(hub, 'a');
    for (let i = 0; i < 8; i++) {
      socket().onclose?.({ code: 1006 });
      if (i < 7) vi.advanceTimersByTime(8_000);
    }
    const before = sockets.length;
    tab.says({ kind: 'hurry' });
    expect(sockets).toHaveLength(before + 1);
  });

  test('of an ended session is not made again, and tabs are told to sign in', () => {
    const tab = new FakeTab(hub, 'a');
    socket().greets();
    socket().onclose?.({ code: 4401 });
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(1);
    expect(tab.kinds()).toContain('ended');
  });

  test('that is drained is left at a random moment of the window, and the next one opened at once', () => {
    new FakeTab(hub, 'a');
    socket().greets();
    socket().says({ type: 'drain', after_ms: 100, spread_ms: 1_000 });
    vi.advanceTimersByTime(590);
    expect(sockets).toHaveLength(1);
    vi.advanceTimersByTime(20);
    expect(sockets).toHaveLength(2);
    expect(sockets[0]!.closed).toBe(true);
  });
});

describe('a board that comes compressed', () => {
  let tab: FakeTab;
  beforeEach(() => {
    vi.useRealTimers();
    hub = new Hub({
      open: () => {
        sockets.push(new FakeSocket());
        return socket();
      },
      unpack,
      whenReleased: () => {},
      idle,
    });
    tab = new FakeTab(hub, 'a');
    socket().greets();
  });
  afterEach(() => tab.says({ kind: 'bye' }));
  const plain = { type: 'watch', board: 'all' };
  const packed = { ...plain, compress: 'gzip' };

  test('is asked for so, and the diffs behind it wait for it', async () => {
    expect(socket().watches()).toEqual([packed]);
    socket().saysPacked(snapshot(1, [order(2)]));
    socket().says(diff(1, 2, { up: [order(3)] }));
    socket().says(diff(2, 3, { rm: [[2, 'taken']] }));
    socket().says(tick(3, [order(3)]));
    expect(tab.kinds()).not.toContain('snapshot');
    await tab.hears(2, 'diff');
    const heard = tab.heard.filter((message) => message.kind === 'snapshot' || message.kind === 'diff');
    expect(heard).toMatchObject([
      { kind: 'snapshot', orders: [{ id: 2 }] },
      { kind: 'diff', up: [{ id: 3 }], rm: [] },
      { kind: 'diff', up: [], rm: [[2, 'taken']] },
    ]);
    expect(socket().watches()).toHaveLength(1);
  });

  test('may come again in the middle', async () => {
    socket().saysPacked(snapshot(1, [order(2)]));
    socket().says(diff(1, 2, { up: [order(3)] }));
    socket().saysPacked(snapshot(9, [order(7)], 'e2'));
    socket().says({ ...diff(9, 10, { up: [order(8)] }), epoch: 'e2' });
    await tab.hears(2, 'diff');
    const late = new FakeTab(hub, 'b');
    expect(late.last('snapshot')).toMatchObject({ orders: [{ id: 8 }, { id: 7 }] });
  });

  test('is asked for plainly of a server that does not know how, until the next connection', () => {
    socket().says({ type: 'error', code: 'malformed', detail: 'unknown field `compress`' });
    socket().says({ type: 'error', code: 'malformed', detail: 'unknown field `compress`' });
    expect(socket().watches()).toEqual([packed, plain]);
    socket().says(snapshot(1, [order(2)]));
    expect(tab.last('snapshot')).toMatchObject({ orders: [{ id: 2 }] });
    socket().onclose?.({ code: 1012 });
    tab.says({ kind: 'hurry' });
    socket().greets();
    expect(sockets).toHaveLength(2);
    expect(socket().watches()).toEqual([{ ...packed, epoch: 'e1', seq: 1 }]);
  });

  test('is asked for plainly for good when it cannot be unpacked', async () => {
    socket().onmessage?.({ data: new Uint8Array([1, 2, 3]).buffer });
    await new Promise<void>((asked) => {
      const { send } = socket();
      socket().send = (text) => {
        send.call(socket(), text);
        if (socket().watches().length === 2) asked();
      };
    });
    expect(socket().watches()).toEqual([packed, plain]);
    socket().onclose?.({ code: 1012 });
    tab.says({ kind: 'hurry' });
    socket().greets();
    expect(socket().watches()).toEqual([plain]);
  });

  test('of a connection that is gone is not shown', async () => {
    socket().saysPacked(snapshot(1, [order(2)]));
    socket().onclose?.({ code: 1006 });
    tab.says({ kind: 'hurry' });
    socket().greets();
    expect(socket().watches()).toEqual([packed]);
    socket().saysPacked(snapshot(5, [order(6)]));
    await tab.hears(1, 'snapshot');
    expect(tab.heard.find((message) => message.kind === 'snapshot')).toMatchObject({ orders: [{ id: 6 }] });
  });
});
