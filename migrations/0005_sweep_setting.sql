-- For those who want one balance: what they earn flows on into the wallet in the same operation.
alter table users add column sweeps_earnings boolean not null default false;
