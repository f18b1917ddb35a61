import { expect, test } from 'vitest';
import { parseFrame } from './protocol';

test('a frame with its fields is understood', () => {
  const text = '{"type":"diff","board":"all","epoch":"e","prev":1,"seq":2,"up":[],"rm":[[7,"taken"]]}';
  expect(parseFrame(text)).toMatchObject({ type: 'diff', seq: 2, rm: [[7, 'taken']] });
});

test('what is no frame is no frame', () => {
  for (const text of ['', 'null', '7', '[]', '{', '{"type":"nova"}', '{"type":"toString"}', '{"type":"constructor"}']) {
    expect(parseFrame(text), text).toBeNull();
  }
});

test('a frame without a field it cannot do without is ignored', () => {
  expect(parseFrame('{"type":"snapshot","board":"all","epoch":"e","seq":1}')).toBeNull();
  expect(parseFrame('{"type":"balance","account":"wallet","currency":"RUB","available":"1","held":0,"version":1}')).toBeNull();
});

test('fields of a newer server do no harm', () => {
  expect(parseFrame('{"type":"drain","after_ms":1,"spread_ms":2,"why":"upgrade"}')).not.toBeNull();
});
