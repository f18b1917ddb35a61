// What several tests begin with.

/** An order of 1,000.00 that its executor asks a verdict about. */
export async function disputed(server, title) {
  const customer = await server.user('customer', 1_000_000);
  const executor = await server.user('executor');
  const order = await server.post(customer, title, { description: 'Four shelves.' });
  for (const [who, act, body] of [[executor, 'accept', {}], [executor, 'submit', { report: 'Four shelves hang.' }], [customer, 'reject', { reason: 'I see three.' }], [executor, 'dispute', { reason: 'There are four of them.' }]]) {
    await server.api(who, 'POST', `/api/orders/${order.id}/${act}`, body);
  }
  return { customer, executor, order };
}
