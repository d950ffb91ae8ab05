-- Keys of the two large tables, on a connection of their own. The covering index answers the KPIs without touching the table.
alter table api_logs add primary key (id);
create index on api_logs (created_at) include (status_code, response_time_ms, flat_tables);
alter table db_query_logs add primary key (id);
create index on db_query_logs (created_at) include (duration_ms, flat_tables);
