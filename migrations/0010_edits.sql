-- Orders that change while they are open, and what has happened to each.

alter table orders
    -- The version that the last edit made; 1 as the order was created. Whoever acts on what an older version said is told what has
    -- changed. In no index, and not touched by taking.
    add column edited_version bigint unsigned not null default 1;

alter table holds
    -- By how much the amount was moved since the hold was made: an order's hold follows the order's price.
    add column adjusted bigint not null default 0;

-- What happened to an order, for its parties: one row a change, written with it. Shard key: the order. Its creation and its takings
-- are told by the order's own row, so that neither writes anything here; a taking that was given up is in the event that ended it.
create table order_events (
    order_id bigint unsigned not null,
    -- Of the order after the change.
    version  bigint unsigned not null,
    event    varchar(20)     character set ascii collate ascii_bin not null,
    -- Nobody where time did it.
    actor_id bigint unsigned null,
    at       datetime(6)     not null,
    -- What the event was about, as JSON.
    facts    mediumtext      null,
    primary key (order_id, version)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;
