-- What finished long ago and is long: texts and histories of old orders, moved here by a job so that the tables that are written all
-- day stay small. The orders themselves are narrow rows that lists, statistics and the audit read, and stay where they are.
-- Shard key: the order, as in the tables that these rows come from. An order's texts are in one of the two tables, never in
-- both and never in none: they are moved in one transaction.

create table order_texts_archive (
    order_id       bigint unsigned not null primary key,
    description    text            not null,
    report         text            null,
    reject_reason  text            null,
    dispute_reason text            null,
    archived_at    datetime(6)     not null
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

create table order_events_archive (
    order_id bigint unsigned not null,
    version  bigint unsigned not null,
    event    varchar(20)     character set ascii collate ascii_bin not null,
    actor_id bigint unsigned null,
    at       datetime(6)     not null,
    facts    mediumtext      null,
    primary key (order_id, version)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

insert into leases (name, holder, held_until) values ('archive', '', '2000-01-01');
