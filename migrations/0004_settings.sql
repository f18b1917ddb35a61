-- What an admin switches while the system runs. One row a setting, its value as JSON.

create table settings (
    name       varchar(40) character set ascii collate ascii_bin not null primary key,
    value      text        not null,
    changed_at datetime(6) not null default current_timestamp(6) on update current_timestamp(6)
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_unicode_ci;
