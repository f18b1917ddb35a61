-- What people are told. Shard key of both tables: the user.

-- How a user is told things, and how far they have read. Whoever adds a notification locks this row first, so a user's
-- notifications are numbered without holes in the order of their commits.
create table inboxes (
    user_id    bigint unsigned not null primary key,
    -- +1 with each notification and with each reading: news of it is a state like any other.
    version    bigint unsigned not null default 0,
    changed_at datetime(6)     not null default current_timestamp(6) on update current_timestamp(6),
    -- The number of the newest notification.
    newest     bigint unsigned not null default 0,
    -- Everything up to this number has been read.
    read_up_to bigint unsigned not null default 0,
    -- Those beyond that are shown in the app.
    unread     int unsigned    not null default 0,
    -- What the user has chosen, as {"EVENT":{"app":…,"mail":…,"telegram":…}}; what is not named goes the way it goes for all.
    choices    text            null,
    key recently_changed (changed_at, version)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

-- Append-only, but for the oldest of each user, which are deleted when there are too many.
create table notifications (
    user_id    bigint unsigned not null,
    -- The inbox's `newest` when this one came.
    seq        bigint unsigned not null,
    event      varchar(20)     character set ascii collate ascii_bin not null,
    -- What it is about, so that nobody is told of one thing twice: order:17, order:17:1790000000123456, payout:3.
    subject    varchar(64)     character set ascii collate ascii_bin not null,
    -- JSON, as it is told.
    facts      text            not null,
    -- Whether it is shown in the app; the user may have chosen to be told by other ways only.
    is_shown   boolean         not null default true,
    created_at datetime(6)     not null,
    primary key (user_id, seq),
    unique key once (user_id, event, subject)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

-- Work that one node at a time does for all. It is a matter of speed alone: nothing goes wrong when two do it.
create table leases (
    name       varchar(40) character set ascii collate ascii_bin not null primary key,
    holder     varchar(40) character set ascii collate ascii_bin not null,
    -- By the database's clock.
    held_until datetime(6) not null
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

insert into leases (name, holder, held_until) values ('notices', '', '2000-01-01');
