-- title: Which foreign keys of large tables have no index?
-- why: Each delete of a referenced row, and each join from it, then reads the whole referring table. An index serves when it is valid,
--   whole, btree or hash, and begins with the key's columns in any order. Tables below 10,000 rows are no suspects; rows are the
--   planner's estimate. The index's size is at most about that of a btree without deduplication, by the columns' average width.
-- params: schemas text, min_rows int = 10000, most int = 100
-- fix: Create the index, concurrently.
select format('%I.%I', n.nspname, c.relname) as "table", k.columns, format('%I.%I', fn.nspname, f.relname) as referenced, c.rows, c.bytes,
  c.rows * (4 + 8 * ceil((8 + k.width) / 8.0)) / 0.9 as index_bytes, p.n_tup_del as referenced_deletes,
  format('create index concurrently on %I.%I (%s);', n.nspname, c.relname, k.columns) as sql
from (select distinct on (conrelid, conkey) * from pg_constraint where contype = 'f' order by conrelid, conkey, oid) con
join (
  select r.oid, r.relname, r.relnamespace, r.relkind, pg_relation_size(r.oid) as bytes,
    case when r.reltuples >= 0 then r.reltuples else coalesce(s.n_live_tup, 0) end::bigint as rows
  from pg_class r left join pg_stat_user_tables s on s.relid = r.oid
) c on c.oid = con.conrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_class f on f.oid = con.confrelid join pg_namespace fn on fn.oid = f.relnamespace
left join pg_stat_user_tables p on p.relid = con.confrelid
cross join lateral (
  select string_agg(quote_ident(a.attname), ', ' order by u.place) as columns,
    sum(coalesce(st.avg_width, nullif(a.attlen, -1), 32)) as width
  from unnest(con.conkey) with ordinality u (number, place)
  join pg_attribute a on a.attrelid = con.conrelid and a.attnum = u.number
  left join pg_stats st on st.schemaname = n.nspname and st.tablename = c.relname and st.attname = a.attname and not st.inherited
) k
where c.relkind = 'r' and n.nspname = any (string_to_array(:schemas, ',')) and c.rows >= :min_rows
  and not exists (
    select from pg_index i join pg_class x on x.oid = i.indexrelid join pg_am m on m.oid = x.relam
    where i.indrelid = con.conrelid and i.indisvalid and i.indpred is null and m.amname in ('btree', 'hash')
      and i.indnkeyatts >= cardinality(con.conkey) and (i.indkey::int2[])[0:(cardinality(con.conkey) - 1)] @> con.conkey
  )
order by c.rows desc, "table", k.columns
limit :most
