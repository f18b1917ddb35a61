//! What is told of people.

use super::{Check, Repair, Source};

pub(super) const CHECKS: &[Check] = &[Check {
    slug: "statistics",
    name: "a user's figures are what their orders and their money say",
    advice: "a repair counts them anew; if it comes back, look for who changes orders without counting",
    repair: Some(Repair::Statistics),
    noun: "user",
    // Where the orders and the money do not agree with each other, another class names the order; here both must have counted
    // alike before the figures are called wrong.
    source: Source::Sql(
        "select cast(user_id as char), concat(currency, ': created ', kept_created, ' of ', created, ', in orders ', kept_money, ' of ', money, \
                ', done ', kept_done, ' of ', done, ', completed ', kept_completed, ' of ', completed, ', received ', kept_received, ' of ', received) from \
         (select user_id, currency, \
                 sum(if(witness = 1, created, 0)) created, sum(if(witness = 1, money, 0)) money, sum(if(witness = 1, done, 0)) done, \
                 sum(if(witness = 1, completed, 0)) completed, sum(if(witness = 1, received, 0)) received, \
                 sum(if(witness = 2, created, 0)) books_created, sum(if(witness = 2, money, 0)) books_money, \
                 sum(if(witness = 2, done, 0)) books_done, sum(if(witness = 2, completed, 0)) books_completed, \
                 sum(if(witness = 2, received, 0)) books_received, \
                 sum(if(witness = 3, created, 0)) kept_created, sum(if(witness = 3, money, 0)) kept_money, \
                 sum(if(witness = 3, done, 0)) kept_done, sum(if(witness = 3, completed, 0)) kept_completed, \
                 sum(if(witness = 3, received, 0)) kept_received from \
          (select 1 witness, customer_id user_id, currency, 1 created, if(status in ('cancelled', 'failed'), 0, price) money, \
                  status = 'done' done, 0 completed, 0 received from orders \
           union all select 1, executor_id, currency, 0, 0, 0, 1, payout from orders where status = 'done' and executor_id is not null \
           union all select 2, a.user_id, a.currency, 1, if(h.state in ('active', 'captured'), h.amount, 0), h.state = 'captured', 0, 0 \
                     from holds h join accounts a on a.id = h.account_id where h.order_id is not null \
           union all select 2, a.user_id, a.currency, 0, 0, 0, 1, e.available_delta from entries e join accounts a on a.id = e.account_id \
                     where e.kind = 'payout' and e.order_id is not null \
           union all select 3, user_id, currency, orders_created, money_in_orders, orders_done, orders_completed, money_received \
                     from user_statistics) counted group by user_id, currency) told \
         where created = books_created and money = books_money and done = books_done and completed = books_completed \
           and received = books_received and (kept_created <> created or kept_money <> money or kept_done <> done \
                or kept_completed <> completed or kept_received <> received)",
    ),
}];
