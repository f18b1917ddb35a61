-- Orders whose customer chooses among applicants, and contracts that the two sides disagree about.

-- Shard key: the order. One row for each executor who has applied; whoever applies again replaces it.
create table applications (
    order_id    bigint unsigned not null,
    executor_id bigint unsigned not null,
    -- Of the order, as the application made it: newer applications have greater ones, and none has another's.
    version     bigint unsigned not null,
    message     varchar(1000)   not null,
    -- What the executor would do it for, by the order's policy. A later edit of the order does not change what was offered.
    price       bigint          not null,
    payout      bigint          not null,
    commission  bigint          not null,
    status      enum ('waiting', 'chosen', 'declined', 'withdrawn') not null default 'waiting',
    created_at  datetime(6)     not null,
    primary key (order_id, executor_id),
    unique key newest (order_id, version),
    key of_executor (executor_id, order_id),
    constraint offer_is_split check (price = payout + commission and payout >= 1 and commission >= 1)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

alter table orders
    -- A party asked for an admin's verdict; until then nothing is confirmed by time. Taking never touches it.
    add column disputed_at datetime(6) null,
    add key disputed (disputed_at, id);

alter table order_texts
    add column dispute_reason text null;
