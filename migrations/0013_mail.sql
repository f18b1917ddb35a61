-- Mail that is to be sent, and the links by which forgotten passwords are set anew. Shard key of all: the user.

alter table users
    -- What people say of themselves, for others to read.
    add column about    varchar(2000) not null default '',
    -- In which language letters to them are written.
    add column language enum ('ru', 'en') not null default 'ru';

-- Letters on their way out, written in the transaction that is their reason. A letter is kept as what it is about, and put
-- into words when it is sent: so no secret ever lies here.
create table mail_outbox (
    id         bigint unsigned   not null auto_increment primary key,
    -- Why it is sent, such as `password_changed:17`: the same thing is told once.
    reason     varchar(120)      character set ascii collate ascii_bin not null,
    user_id    bigint unsigned   not null,
    address    varchar(254)      not null,
    language   enum ('ru', 'en') not null,
    -- Which letter, and the facts in it as JSON.
    letter     varchar(40)       character set ascii collate ascii_bin not null,
    facts      text              not null,
    -- 0 goes before everything else.
    priority   tinyint unsigned  not null,
    state      enum ('waiting', 'sent', 'dead') not null default 'waiting',
    attempts   smallint unsigned not null default 0,
    -- When it is to be tried (again). While a worker has it: when it is taken for lost with that worker.
    due_at     datetime(6)       not null,
    -- Nobody wants to read it after this moment.
    deadline   datetime(6)       not null,
    -- The round of the worker that has it now.
    claim      bigint unsigned   null,
    last_error varchar(500)      null,
    created_at datetime(6)       not null,
    done_at    datetime(6)       null,
    unique key told_once (reason),
    key to_send (state, priority, due_at),
    key of_claim (claim),
    key of_user (user_id, letter, created_at),
    key to_forget (done_at)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

-- Links that set a new password. Made when their letter is sent.
create table password_resets (
    -- SHA-256 of the token. The token itself is known to whoever reads the letter only.
    token_hash binary(32)      not null primary key,
    user_id    bigint unsigned not null,
    created_at datetime(6)     not null,
    expires_at datetime(6)     not null,
    -- It was used, or the password or address it was for has changed since.
    used_at    datetime(6)     null,
    key of_user (user_id, used_at),
    key to_forget (expires_at)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;
