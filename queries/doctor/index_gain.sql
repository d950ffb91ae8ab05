-- title: What does an index on this column take that holds those columns, and which part of the table is a day?
-- why: Estimates from the planner's statistics: an index's row takes 12 bytes and its columns, in pages nine tenths full.
--   A table without statistics is taken for rows of 64 bytes.
-- params: relation int, attribute int, columns text
with relations as (
  select relid::oid as oid from pg_partition_tree(:relation::oid) where isleaf
  union select :relation::oid
), sizes as (
  select sum(pg_relation_size(c.oid))::bigint as bytes,
    sum(case when c.reltuples >= 0 then c.reltuples else pg_relation_size(c.oid) / 64 end)::bigint as rows
  from relations join pg_class c using (oid) where c.relkind <> 'p'
), held as (
  select a.attnum, quote_ident(a.attname) as name, s.histogram_bounds::text as bounds,
    coalesce(nullif(a.attlen, -1), s.avg_width, 32) as width
  from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
  left join lateral (
    select avg_width, histogram_bounds from pg_stats
    where schemaname = n.nspname and tablename = c.relname and attname = a.attname order by inherited desc limit 1
  ) s on true
  where a.attrelid = :relation::oid and (a.attnum = :attribute or :columns::jsonb ? a.attname) and a.attnum > 0
), span as (
  select b[cardinality(b)] - b[1] as whole from (select bounds::timestamptz[] as b from held where attnum = :attribute) x
), starting as (
  select i.indexrelid::regclass::text as name, i.indisvalid, i.indpred is null as entire,
    (select array_agg(attnum) from held) <@ i.indkey::smallint[] as covers
  from pg_index i join pg_class x on x.oid = i.indexrelid join pg_am m on m.oid = x.relam and m.amname = 'btree'
  where i.indrelid = :relation::oid and i.indkey[0] = :attribute
)
select c.oid::regclass::text as relation, c.relkind = 'p' as partitioned, s.rows, s.bytes,
  (select name from held where attnum = :attribute) as attribute,
  (select string_agg(name, ', ' order by attnum) from held where attnum <> :attribute) as includes,
  (select sum(width) from held)::bigint as width,
  (s.rows * (12 + ceil((select sum(width) from held) / 8.0) * 8) / 0.9)::bigint as covering_bytes,
  (s.rows * 20 / 0.9)::bigint as plain_bytes,
  (select case when whole > interval '0' then least(86400 / extract(epoch from whole), 1)::float8 end from span) as day,
  (select name from starting where indisvalid and entire order by covers desc, name limit 1) as index,
  coalesce((select bool_or(covers) from starting where indisvalid and entire), false) as covers,
  (select string_agg(name || case when indisvalid then ' (partial)' else ' (invalid)' end, ', ' order by name)
    from starting where not (indisvalid and entire)) as useless
from pg_class c cross join sizes s
where c.oid = :relation::oid
