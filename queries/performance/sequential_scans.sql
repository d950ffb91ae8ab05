-- title: Which large tables are read in full again and again?
-- why: A suspect has at least 10,000 rows and was read in full, by rows read over rows held, more than 100 times a day since the server
--   counts, at the earliest (a first day counts as whole). Backups, maintenance and the kit itself read in full too, and count.
-- params: schemas text, min_rows int = 10000, reads_per_day float = 100, most int = 100
-- fix: Find the statement, by pg_stat_statements or auto_explain, before you choose an index.
select format('%I.%I', t.schemaname, t.relname) as "table", t.rows, t.bytes, t.seq_scan as scans, t.seq_tup_read as rows_read,
  t.seq_tup_read::float8 / t.rows as full_reads, t.idx_scan as index_scans
from (
  select s.*, greatest(s.n_live_tup, c.reltuples)::bigint as rows, pg_relation_size(s.relid) as bytes
  from pg_stat_user_tables s join pg_class c on c.oid = s.relid
) t
cross join (
  select greatest(extract(epoch from now() - coalesce(d.stats_reset, least(b.stats_reset, a.stats_reset, w.stats_reset),
    pg_postmaster_start_time())) / 86400, 1)::float8 as days
  from pg_stat_database d, pg_stat_bgwriter b, pg_stat_archiver a, pg_stat_wal w where d.datname = current_database()
) d
where t.schemaname = any (string_to_array(:schemas, ',')) and t.rows >= :min_rows
  and t.seq_tup_read > :reads_per_day * d.days * t.rows
order by t.seq_tup_read desc
limit :most
