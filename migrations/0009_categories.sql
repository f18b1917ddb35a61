-- Categories are an admin's to manage while nodes run. One that is hidden takes no new orders and is not offered any more; its
-- orders, and its board, stay. None is ever deleted: orders name it.
alter table categories add column is_hidden boolean not null default false;
