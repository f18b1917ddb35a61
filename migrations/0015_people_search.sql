-- Admins look for people by the beginning of a name; by that of an address there is an index already.
alter table users add key by_name (name);
