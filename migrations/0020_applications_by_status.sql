-- An executor's applications of one status, at any depth: of those that wait there are few among many. Never touched by taking.
alter table applications add key of_executor_in_status (executor_id, status, order_id);
