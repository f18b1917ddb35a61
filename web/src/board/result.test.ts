import { expect, test } from 'vitest';
import { en } from '../i18n/en';
import { ru } from '../i18n/ru';
import { resultLine } from './result';
import type { Try } from './row.svelte';

const lost = (taken_ms: number | null, click_ms: number): Try =>
  ({ phase: 'lost', why: 'taken', by: { id: 2, name: 'Vera' }, taken_ms, click_ms, at_ms: 0 });
const noon = new Date(2026, 10, 20, 12, 3, 4, 120).getTime();

test('a lost race says by whom, when and by how much', () => {
  expect(resultLine(lost(noon, noon + 120), en, 'en')).toBe('Taken by Vera at 12:03:04.120, 120 ms before you');
  expect(resultLine(lost(noon, noon + 120), ru, 'ru')).toBe('Взял(а) Vera в 12:03:04.120, на 120 мс раньше вас');
});

test('a winner who came after the press is not said to have come before it', () => {
  expect(resultLine(lost(noon + 30, noon), en, 'en')).toContain('30 ms after your click');
});

test('without the moment it still says what happened', () => {
  expect(resultLine(lost(null, noon), en, 'en')).toBe(en.board.lost.taken);
});

test('no bad news is no line', () => {
  expect(resultLine({ phase: 'idle' }, en, 'en')).toBeNull();
});
