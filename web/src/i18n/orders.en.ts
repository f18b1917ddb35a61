/** Orders, contracts and the form of a new one, in English. */

export const en = {
  order: {
    id: (id: number) => `Order ${id}`, price: 'Price', payout: 'Executor gets', commission: 'Commission', customer: 'Customer', executor: 'Executor',
    category: 'Category', description: 'Description', report: 'Report of the work', rejectReason: 'Why it was sent back',
    postedAgo: (age: string) => `Posted ${age} ago`, confirmIn: (left: string) => `Confirmed by itself in ${left}`, undo: 'Undo', disputed: 'In dispute',
    assignment: { first: 'The first who takes it gets it.', chosen: 'The customer chooses among applicants.' },
    acceptance: { auto: 'It is settled as soon as it is submitted.', confirm: 'The customer confirms the work.' },
    noDescription: 'No description.',
    status: {
      open: 'Open', frozen: 'On hold', in_work: 'In work', submitted: 'To confirm', done: 'Done', failed: 'Failed', cancelled: 'Cancelled',
    },
    act: {
      freeze: 'Put on hold', unfreeze: 'Reopen', cancel: 'Cancel order', confirm: 'Confirm and pay', reject: 'Send back',
      submit: 'Submit work', abandon: 'Give up', dispute: 'Ask for a verdict',
    },
    did: {
      freeze: 'The order is on hold', unfreeze: 'The order is open again', cancel: 'The order is cancelled, the money is free again',
      confirm: 'The work is confirmed and paid', reject: 'Sent back to the executor', submit: 'The work is submitted', abandon: 'You gave the order up', dispute: 'An administrator will decide',
    },
    ask: {
      cancel: { title: 'Cancel this order?', text: (sum: string) => `${sum} will return from held to your available balance.`, yes: 'Cancel order' },
      confirm: { title: 'Confirm the work?', text: (sum: string) => `${sum} will leave your balance for good and be paid for this work.`, yes: 'Confirm and pay' },
      abandon: { title: 'Give this order up?', text: (sum: string) => `The order returns to the board and you will not receive ${sum}.`, yes: 'Give up' },
      reject: { title: 'Send the work back?', label: 'What has to be put right', yes: 'Send back' },
      submit: { title: 'Submit the work', label: 'Report for the customer', yes: 'Submit' },
      dispute: { title: 'Let an administrator decide?', text: 'For when the two sides cannot agree. Until the verdict nothing is paid or returned by itself.', label: 'What the administrator has to know', yes: 'Ask for a verdict' },
    },
    notFound: { title: 'Order not found', text: 'It does not exist, or somebody has taken it: a taken order is seen by its two sides only.' },
    toBoard: 'To the board',
    statusToast: (title: string, status: string) => `“${title}”: ${status}`,
  },
  mine: {
    title: 'My orders', empty: { title: 'You have not posted an order yet', text: 'Describe the work, name the price, and executors see it at once.' },
    emptyStatus: { title: 'Nothing in this state', text: 'Choose another state to see your other orders.' },
    filter: 'State',
  },
  contracts: {
    title: 'My contracts', empty: { title: 'No contracts yet', text: 'Take an order on the board and it appears here.' },
  },
  create: {
    title: 'New order', field: { title: 'Title', description: 'Description', category: 'Category', price: 'Price you pay', payout: 'Executor gets', assignment: 'Who gets it', acceptance: 'When the work is submitted' },
    titleHint: 'What has to be done, in one line', noCategory: 'No category',
    assignment: {
      first: 'Whoever takes it first', firstHint: 'The quickest way: it starts with one press.',
      chosen: 'I choose among applicants', chosenHint: 'Executors apply, maybe for another price.',
    },
    acceptance: {
      confirm: 'I check and confirm it', confirmHint: 'The money is paid when you confirm.',
      auto: 'It is paid at once', autoHint: 'Good for simple work: executors can take and finish in one press.',
    },
    quote: { commission: 'Commission', rate: (percent: string) => `${percent} of the price`, hint: 'Type either sum: the other one is counted for you.', waiting: 'Counting…' },
    hold: (sum: string) => `${sum} will be held on your wallet until the order is finished or cancelled.`,
    submit: 'Post order', submitting: 'Posting…', posted: 'The order is on the board',
    short: (sum: string) => `You need ${sum} more on your wallet.`, topup: 'Top up',
    available: (sum: string) => `Available: ${sum}`,
  },
};

export type OrdersTexts = typeof en;
