-- Money, double entry. Shard key: the account's user; operations by their id.

create table accounts (
    id         bigint unsigned not null auto_increment primary key,
    user_id    bigint unsigned not null,
    kind       enum ('wallet', 'earnings') not null,
    currency   char(3)         character set ascii collate ascii_bin not null,
    available  bigint          not null default 0,
    held       bigint          not null default 0,
    -- +1 with every change; also the number of the last entry.
    version    bigint unsigned not null default 0,
    changed_at datetime(6)     not null default current_timestamp(6) on update current_timestamp(6),
    unique key one_of_a_kind (user_id, kind, currency),
    key recently_changed (changed_at, version),
    constraint never_negative check (available >= 0 and held >= 0)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

-- One row per idempotency id. A refusal is a committed result too, so that a repeat hears the same answer.
create table operations (
    id         varchar(100)    character set ascii collate ascii_bin not null primary key,
    kind       varchar(20)     character set ascii collate ascii_bin not null,
    -- SHA-256 of the request's body: the same id with another body is a mismatch.
    body_hash  binary(32)      not null,
    outcome    enum ('pending', 'done', 'refused') not null default 'pending',
    -- What was answered, to be answered again byte by byte.
    result     mediumtext      null,
    created_at datetime(6)     not null
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

-- Append-only. `seq` is the account's version after the change, so an account's history has no gaps by construction.
create table entries (
    account_id      bigint unsigned not null,
    seq             bigint unsigned not null,
    operation_id    varchar(100)    character set ascii collate ascii_bin not null,
    kind            varchar(20)     character set ascii collate ascii_bin not null,
    available_delta bigint          not null,
    held_delta      bigint          not null,
    available_after bigint          not null,
    held_after      bigint          not null,
    order_id        bigint unsigned null,
    topup_id        bigint unsigned null,
    created_at      datetime(6)     not null,
    primary key (account_id, seq),
    key of_operation (operation_id)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

-- The other side of every operation that is not between users. Append-only and without a balance row: no hot row.
create table system_entries (
    operation_id varchar(100)    character set ascii collate ascii_bin not null,
    line         tinyint unsigned not null,
    account      enum ('gateway', 'payouts', 'commission') not null,
    currency     char(3)         character set ascii collate ascii_bin not null,
    amount       bigint          not null,
    order_id     bigint unsigned null,
    created_at   datetime(6)     not null,
    primary key (operation_id, line)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

create table holds (
    id          bigint unsigned not null auto_increment primary key,
    account_id  bigint unsigned not null,
    order_id    bigint unsigned null,
    amount      bigint          not null,
    state       enum ('active', 'captured', 'released', 'expired') not null default 'active',
    created_at  datetime(6)     not null,
    resolved_at datetime(6)     null,
    -- An order has one hold in its life.
    unique key of_order (order_id),
    key of_account (account_id, state),
    constraint hold_is_positive check (amount > 0)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

create table topups (
    -- The gateway's invoice number.
    id          bigint unsigned not null auto_increment primary key,
    user_id     bigint unsigned not null,
    currency    char(3)         character set ascii collate ascii_bin not null,
    amount      bigint          not null,
    status      enum ('created', 'received', 'rejected') not null default 'created',
    created_at  datetime(6)     not null,
    resolved_at datetime(6)     null,
    key of_user (user_id, id),
    constraint topup_is_positive check (amount > 0)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;
