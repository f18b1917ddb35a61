-- Who is to be told of new orders. Shard key: the user; read by category when an order is new.

create table subscriptions (
    user_id    bigint unsigned not null,
    -- A category's slug, or `all`.
    category   varchar(32)     character set ascii collate ascii_bin not null,
    -- Orders of a lower price are not told, in minor units.
    price_min  bigint          null,
    -- For the page: whether it makes a sound.
    sound      boolean         not null default false,
    created_at datetime(6)     not null,
    primary key (user_id, category),
    key of_category (category, user_id, price_min)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;
