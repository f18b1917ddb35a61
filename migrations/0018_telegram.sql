-- Telegram: chats linked to users, and messages on their way out. Shard key: the user.

alter table inboxes
    -- Where the user is written to; null for those who have not linked a chat.
    add column telegram_chat bigint null,
    add key of_chat (telegram_chat);

-- Codes that link a chat, as they are in the link that opens the bot. One a user.
create table telegram_codes (
    user_id    bigint unsigned not null primary key,
    -- SHA-256 of the code. The code itself is known to whoever holds the link only.
    code_hash  binary(32)      not null,
    expires_at datetime(6)     not null,
    unique key by_code (code_hash)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

-- Written with the notification that is their reason, in its transaction; put into words when sent. The columns are those of
-- mail_outbox and mean the same.
create table telegram_outbox (
    id         bigint unsigned   not null auto_increment primary key,
    user_id    bigint unsigned   not null,
    -- The notification.
    seq        bigint unsigned   not null,
    event      varchar(20)       character set ascii collate ascii_bin not null,
    facts      text              not null,
    priority   tinyint unsigned  not null,
    state      enum ('waiting', 'sent', 'dead') not null default 'waiting',
    attempts   smallint unsigned not null default 0,
    due_at     datetime(6)       not null,
    deadline   datetime(6)       not null,
    claim      bigint unsigned   null,
    last_error varchar(500)      null,
    created_at datetime(6)       not null,
    done_at    datetime(6)       null,
    unique key told_once (user_id, seq),
    key to_send (state, priority, due_at),
    key in_state (state, id),
    key of_claim (claim),
    key to_forget (done_at)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

-- For the list of what could not be sent.
alter table mail_outbox add key in_state (state, id);

-- Only one node at a time may ask what was written to the bot.
insert into leases (name, holder, held_until) values ('telegram', '', '2000-01-01');
