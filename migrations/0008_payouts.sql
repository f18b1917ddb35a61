-- Payouts: people ask for their money, an admin decides. Shard key: the user.

create table payouts (
    id          bigint unsigned not null auto_increment primary key,
    user_id     bigint unsigned not null,
    account_id  bigint unsigned not null,
    account     enum ('wallet', 'earnings') not null,
    currency    char(3)         character set ascii collate ascii_bin not null,
    amount      bigint          not null,
    -- How the money is to travel, and to where. The destination is personal: it is shown to its owner and to admins only.
    method      varchar(32)     character set ascii collate ascii_bin not null,
    destination varchar(200)    not null,
    -- `received` is approved and paid. Whoever moves a payout out of `created` decides what becomes of the held money.
    status      enum ('created', 'received', 'rejected', 'cancelled') not null default 'created',
    comment     varchar(1000)   null,
    -- The admin, or the owner who thought better of it.
    decided_by  bigint unsigned null,
    -- The money asked for, held on the account; and the number of the entry that held it: what was earned before that
    -- entry is what is asked for.
    hold_id     bigint unsigned not null,
    hold_seq    bigint unsigned not null,
    created_at  datetime(6)     not null,
    decided_at  datetime(6)     null,
    key of_user (user_id, id),
    key in_state (status, id),
    key by_time (created_at),
    unique key of_hold (hold_id),
    constraint payout_is_positive check (amount > 0),
    constraint decided_by_somebody check ((status <> 'created') <= (decided_by is not null and decided_at is not null)),
    constraint rejected_with_a_reason check ((status = 'rejected') <= (comment is not null))
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;
