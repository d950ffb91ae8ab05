-- title: Since when does the server count what its tables and indexes are used for, and which tables are large?
-- why: What was never used since yesterday may be used on Sundays. The server's own clock counts here. Counters outlive a clean
--   restart, so that its start, or their reset after it, is the latest moment they can have begun at; a database or an index made
--   later than that cannot be told from one that nobody uses.
-- params: schemas text, min_rows int = 10000
select greatest(d.stats_reset, pg_postmaster_start_time()) as counted_since,
  extract(epoch from now() - greatest(d.stats_reset, pg_postmaster_start_time()))::float8 / 86400 as days,
  current_setting('track_counts')::boolean as counting, t.tables, t.large
from pg_stat_database d
cross join (
  select count(*) as tables, count(*) filter (where greatest(c.reltuples, s.n_live_tup) >= :min_rows) as large
  from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_stat_user_tables s on s.relid = c.oid
  where c.relkind = 'r' and n.nspname = any (string_to_array(:schemas, ','))
) t
where d.datname = current_database()
