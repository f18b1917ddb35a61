-- Orders. Shard key: the order; lists of one user read by that user's index.

create table categories (
    slug    varchar(32) character set ascii collate ascii_bin not null primary key,
    name_ru varchar(64) not null,
    name_en varchar(64) not null,
    place   smallint    not null
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

insert into categories (slug, name_ru, name_en, place) values
    ('delivery',  'Доставка',             'Delivery',          1),
    ('cleaning',  'Уборка',               'Cleaning',          2),
    ('repair',    'Ремонт',               'Repair',            3),
    ('moving',    'Переезды и грузчики',  'Moving',            4),
    ('it',        'Компьютеры и ИТ',      'Computers and IT',  5),
    ('design',    'Дизайн',               'Design',            6),
    ('texts',     'Тексты и переводы',    'Texts',             7),
    ('tutoring',  'Репетиторство',        'Tutoring',          8),
    ('photo',     'Фото и видео',         'Photo and video',   9),
    ('other',     'Другое',               'Other',             10);

-- `status` and the columns that taking an order changes appear in as few indexes as the lists allow: each accept
-- moves its row in every index that holds a changed column.
create table orders (
    id              bigint unsigned not null auto_increment primary key,
    -- +1 with every change; whoever edits a row by hand must add 1 too, or watchers keep the older row.
    version         bigint unsigned not null default 1,
    -- Lets the sweep find rows whose news was not carried.
    changed_at      datetime(6)     not null default current_timestamp(6) on update current_timestamp(6),
    status          enum ('open', 'frozen', 'in_work', 'submitted', 'done', 'failed', 'cancelled') not null default 'open',
    assignment      enum ('first', 'chosen') not null,
    acceptance      enum ('confirm', 'auto') not null,
    customer_id     bigint unsigned not null,
    executor_id     bigint unsigned null,
    category        varchar(32)     character set ascii collate ascii_bin null,
    title           varchar(160)    not null,
    currency        char(3)         character set ascii collate ascii_bin not null,
    -- Minor units. The price is held on the customer's wallet while the order lives.
    price           bigint          not null,
    payout          bigint          not null,
    commission      bigint          not null,
    -- The policy the order was made with, whatever is in force today.
    rate_bp         smallint unsigned not null,
    floor_bp        smallint unsigned not null,
    commission_mode enum ('round', 'exact') not null,
    applicants      int unsigned    not null default 0,
    created_at      datetime(6)     not null,
    accepted_at     datetime(6)     null,
    submitted_at    datetime(6)     null,
    finished_at     datetime(6)     null,
    -- Submitted work counts as confirmed from this moment.
    confirm_by      datetime(6)     null,
    key open_newest (status, id),
    key of_customer (customer_id, id),
    key of_executor (executor_id, id),
    -- With the version, so that the sweep never touches the rows themselves.
    key recently_changed (changed_at, version),
    key to_confirm (confirm_by),
    constraint price_is_split check (price = payout + commission and payout >= 1 and commission >= 1),
    constraint taken_has_executor check ((status in ('in_work', 'submitted', 'done')) <= (executor_id is not null and accepted_at is not null))
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;

-- Long texts apart from the columns that lists read.
create table order_texts (
    order_id      bigint unsigned not null primary key,
    description   text            not null,
    report        text            null,
    reject_reason text            null
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;
