import { expect, test } from 'vitest';
import type { OrderStatus } from '../hub/protocol';
import { UNDOES, actsFor, bodyOf, isDisputed } from './orderActs';

const [CUSTOMER, EXECUTOR, STRANGER] = [1, 2, 3];

function contract(status: OrderStatus, disputed_ms: number | null = null) {
  return { status, disputed_ms, customer: { id: CUSTOMER, name: 'Anna' }, executor: status === 'open' || status === 'frozen' ? null : { id: EXECUTOR, name: 'Boris' } };
}

test('each side has its own acts in each state', () => {
  expect(actsFor(contract('open'), CUSTOMER, 'customer')).toEqual(['freeze', 'cancel']);
  expect(actsFor(contract('frozen'), CUSTOMER, 'customer')).toEqual(['unfreeze', 'cancel']);
  expect(actsFor(contract('submitted'), CUSTOMER, 'customer')).toEqual(['confirm', 'reject', 'dispute']);
  expect(actsFor(contract('in_work'), EXECUTOR, 'executor')).toEqual(['submit', 'abandon', 'dispute']);
  expect(actsFor(contract('done'), CUSTOMER, 'customer')).toEqual([]);
});

test('nobody acts for another, or in another role', () => {
  for (const status of ['open', 'frozen', 'in_work', 'submitted'] as const) {
    for (const role of ['customer', 'executor', 'admin', null]) expect(actsFor(contract(status), STRANGER, role)).toEqual([]);
    expect(actsFor(contract(status), CUSTOMER, 'executor')).toEqual([]);
    expect(actsFor(contract(status), undefined, null)).toEqual([]);
  }
});

test('in dispute all that is left is to give in', () => {
  expect(actsFor(contract('submitted', 5), CUSTOMER, 'customer')).toEqual(['confirm']);
  expect(actsFor(contract('in_work', 5), CUSTOMER, 'customer')).toEqual([]);
  for (const status of ['in_work', 'submitted'] as const) expect(actsFor(contract(status, 5), EXECUTOR, 'executor')).toEqual([]);
  expect(isDisputed(contract('done', 5))).toBe(false);
});

test('what can be undone is undone by its opposite, and words go under the name the server gives them', () => {
  expect(UNDOES).toEqual({ freeze: 'unfreeze', unfreeze: 'freeze' });
  expect(bodyOf('reject', 'why')).toEqual({ reason: 'why' });
  expect(bodyOf('dispute', 'why')).toEqual({ reason: 'why' });
  expect(bodyOf('submit', '')).toEqual({});
  expect(bodyOf('confirm', '')).toBeUndefined();
});
