-- What people have done here, for others to see: counted in the transactions that do it, never on the path of taking an order.
-- Derived from orders and their money; `orderboard audit --repair` counts anew. Shard key: the user.

create table user_statistics (
    user_id          bigint unsigned not null,
    currency         char(3)         character set ascii collate ascii_bin not null,
    -- As a customer: orders created; their prices, without those that were cancelled or failed; those whose work was paid.
    orders_created   bigint          not null default 0,
    money_in_orders  bigint          not null default 0,
    orders_done      bigint          not null default 0,
    -- As an executor: orders whose work was paid, and the pay.
    orders_completed bigint          not null default 0,
    money_received   bigint          not null default 0,
    primary key (user_id, currency)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

insert into user_statistics (user_id, currency, orders_created, money_in_orders, orders_done, orders_completed, money_received)
select user_id, currency, sum(created), sum(money), sum(done), sum(completed), sum(received) from (
    select customer_id user_id, currency, 1 created, if(status in ('cancelled', 'failed'), 0, price) money, status = 'done' done,
           0 completed, 0 received from orders
    union all
    select executor_id, currency, 0, 0, 0, 1, payout from orders where status = 'done'
) counted group by user_id, currency;
