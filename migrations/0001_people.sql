-- People and their sessions.
-- Shard key of both: the user. Nothing here refers to another table by a foreign key, so tables may move apart.

create table users (
    id            bigint unsigned not null auto_increment primary key,
    -- Lower case; compared byte by byte, so that two spellings of one letter never meet by collation.
    email         varchar(254)    not null collate utf8mb4_bin,
    name          varchar(64)     not null,
    -- An argon2id PHC string, or empty for a user who can only come in by a token made on the command line.
    password_hash varchar(255)    character set ascii collate ascii_bin not null,
    -- Customer and executor are open to everybody; this one is given on the command line only.
    is_admin      boolean         not null default false,
    created_at    datetime(6)     not null,
    unique key one_account_an_email (email)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

create table sessions (
    id           bigint unsigned not null auto_increment primary key,
    -- SHA-256 of the token. The token itself is known to its bearer only.
    token_hash   binary(32)      not null,
    user_id      bigint unsigned not null,
    role         enum ('customer', 'executor', 'admin') not null,
    device       varchar(200)    not null,
    address      varchar(45)     character set ascii not null,
    created_at   datetime(6)     not null,
    last_seen_at datetime(6)     not null,
    expires_at   datetime(6)     not null,
    ended_at     datetime(6)     null,
    unique key by_token (token_hash),
    key of_user (user_id, id),
    -- For the sweep: sessions that ended lately and whose news may not have been carried.
    key recently_ended (ended_at)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;
