import { expect, test } from 'vitest';
import { ClockOffset } from './clock';

test('without a pong nothing is known', () => {
  expect(new ClockOffset().offset).toBeNull();
});

test('the quickest ping is believed', () => {
  const clock = new ClockOffset();
  clock.sample(1000, 1400, 6000);
  clock.sample(2000, 2020, 7010);
  clock.sample(3000, 3300, 9000);
  expect(clock.offset).toBe(5000);
});

test('only the last five pings count', () => {
  const clock = new ClockOffset();
  clock.sample(0, 2, 100_001);
  for (let i = 1; i <= 5; i++) clock.sample(i * 1000, i * 1000 + 10, i * 1000 + 5);
  expect(clock.offset).toBe(0);
});

test('a clock set back during a ping spoils that ping only', () => {
  const clock = new ClockOffset();
  clock.sample(5000, 4000, 9000);
  expect(clock.offset).toBeNull();
});
