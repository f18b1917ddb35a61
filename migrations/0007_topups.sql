-- Payments that nobody made in time become outdated. Should their money arrive all the same, they are received.
alter table topups
    modify column status enum ('created', 'received', 'rejected', 'outdated') not null default 'created',
    add key to_outdate (status, created_at);
