-- Billing: operations of other systems, driven by HTTP and by a queue, on the same accounts.

-- A closed user's money stands still: no operation credits, debits, holds or transfers it any more. Holds that exist may
-- still be captured and released, orders run to their end, and a payment that arrives is credited. The flag is kept on
-- the accounts too, where an operation reads it with the balance.
alter table users add column closed_at datetime(6) null;
alter table accounts add column is_closed boolean not null default false;

alter table holds
    -- The operation that made the hold; null for holds that are older than this column.
    add column operation_id varchar(100) character set ascii collate ascii_bin null,
    -- Until when it waits; null for ever. An order's hold waits for its order.
    add column expires_at   datetime(6) null,
    add unique key of_operation (operation_id),
    add key to_expire (state, expires_at);

alter table entries
    add column hold_id   bigint unsigned null,
    add column payout_id bigint unsigned null,
    -- The user on the other side of a transfer.
    add column peer_id   bigint unsigned null,
    -- Times never go back within an account, so a date is a place in its history: the balance at a moment is one look.
    add key by_time (account_id, created_at),
    add key by_kind (account_id, kind);

-- Results that the queue's other side may not have yet. Written with the operation, deleted when the answer has been sent;
-- whatever stays longer is sent again.
create table outgoing (
    operation_id varchar(100) character set ascii collate ascii_bin not null primary key,
    created_at   datetime(6)  not null,
    key oldest (created_at)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

-- Other systems that may command operations over HTTP.
create table services (
    id         bigint unsigned not null auto_increment primary key,
    name       varchar(64)     character set ascii collate ascii_bin not null,
    -- SHA-256 of the token. The token itself is known to its bearer only.
    token_hash binary(32)      not null,
    created_at datetime(6)     not null,
    ended_at   datetime(6)     null,
    unique key by_token (token_hash),
    key by_name (name)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;
