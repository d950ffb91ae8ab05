-- title: Which indexes of large tables has nobody used since the server counts?
-- why: Asked only once the server has counted for a week. Indexes of a megabyte or more, of tables of at least 10,000 rows; never one
--   that is unique, that a constraint or replication needs, or that serves a foreign key. Replicas count for themselves.
-- params: schemas text, min_rows int = 10000, min_bytes int = 1000000, most int = 100
-- fix: See that no replica and no monthly job uses it, then drop it, concurrently.
select format('%I.%I', s.schemaname, s.relname) as "table", format('%I.%I', s.schemaname, s.indexrelname) as index,
  greatest(c.reltuples, 0)::bigint as rows, pg_relation_size(s.indexrelid) as bytes, s.idx_scan as scans,
  format('drop index concurrently %I.%I;', s.schemaname, s.indexrelname) as sql
from pg_stat_user_indexes s join pg_index i using (indexrelid) join pg_class x on x.oid = s.indexrelid
join pg_class c on c.oid = s.relid
where s.idx_scan = 0 and s.schemaname = any (string_to_array(:schemas, ','))
  and not i.indisunique and not i.indisreplident and i.indisvalid and not x.relispartition
  and c.reltuples >= :min_rows and pg_relation_size(s.indexrelid) >= :min_bytes
  and not exists (select from pg_constraint where conindid = s.indexrelid)
  and not exists (
    select from pg_constraint f where f.contype = 'f' and f.conrelid = i.indrelid and i.indnkeyatts >= cardinality(f.conkey)
      and (i.indkey::int2[])[0:(cardinality(f.conkey) - 1)] @> f.conkey)
order by bytes desc, index
limit :most
